package biz

import (
	"slices"
	"time"
)

// At is the message as a reader sees it at a moment: one whose time is over has no content, before the store has
// erased it and afterwards alike.
func (m *Message) At(now time.Time) *Message {
	if m.ExpiresAt.IsZero() || now.Before(m.ExpiresAt) || m.State != nil && m.State.Recalled {
		return m
	}
	erased := *m
	state := m.State.recalled("", m.ExpiresAt)
	erased.Content, erased.Metadata, erased.Mentions, erased.State = nil, nil, nil, &state
	return &erased
}

// next is the state after one more event about the message.
func (s *MessageState) next() MessageState {
	if s == nil {
		return MessageState{Version: 1}
	}
	n := *s
	n.Version++
	n.Reactions = slices.Clone(s.Reactions)
	return n
}

// recalled is the state of a message that somebody has taken back, or that had its time.
func (s *MessageState) recalled(by UserID, at time.Time) MessageState {
	n := s.next()
	n.Recalled, n.RecalledBy, n.RecalledAt, n.Reactions = true, by, at, nil
	return n
}

// edited is the state of a message that was given another content.
func (s *MessageState) edited(at time.Time) MessageState {
	n := s.next()
	n.Edits++
	n.EditedAt = at
	return n
}

// reacted is the state with one user more who has a reaction.
func (s *MessageState) reacted(reaction string) MessageState {
	n := s.next()
	if i := n.reaction(reaction); i >= 0 {
		n.Reactions[i].Users++
	} else {
		n.Reactions = append(n.Reactions, ReactionCount{Reaction: reaction, Users: 1})
	}
	return n
}

// unreacted is the state with one user less who has a reaction.
func (s *MessageState) unreacted(reaction string) MessageState {
	n := s.next()
	i := n.reaction(reaction)
	if i < 0 {
		return n
	}
	if n.Reactions[i].Users--; n.Reactions[i].Users <= 0 {
		n.Reactions = slices.Delete(n.Reactions, i, i+1)
	}
	return n
}

func (s *MessageState) reaction(reaction string) int {
	return slices.IndexFunc(s.Reactions, func(r ReactionCount) bool { return r.Reaction == reaction })
}

// bytes is about what the state takes in an answer.
func (s *MessageState) bytes() int {
	if s == nil || s.Version == 0 {
		return 0
	}
	n := stateOverhead + len(s.RecalledBy)
	for _, r := range s.Reactions {
		n += len(r.Reaction) + reactionOverhead
	}
	return n
}
