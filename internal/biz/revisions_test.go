package biz_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// acting has Revisions decide acts on a state of the test's making.
type acting struct {
	biz.MessageLog
	state biz.ActState
	plan  biz.ActPlan
}

func (a *acting) Append(d *biz.Draft, done func(biz.Receipt, error)) {
	var err error
	a.plan, err = d.Act.Decide(a.state)
	seq := a.plan.Said
	if a.plan.Event != nil {
		seq = a.state.Room.HeadSeq + 1
	}
	done(biz.Receipt{Seq: seq}, err)
}

// authors is a RevisionRepo of what alice has sent.
type authors struct{ biz.RevisionRepo }

func (authors) Author(context.Context, biz.RoomID, int64) (biz.UserID, error) { return "alice", nil }

// TestWhoMayReviseWhat: windows, mutes, roles and kinds of rooms decide about the message as it is at that moment.
func TestWhoMayReviseWhat(t *testing.T) {
	t.Parallel()
	said := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	service := biz.Identity{Roles: []string{biz.RoleService}}
	const window = time.Minute
	edit, recall, react := "edit", "recall", "react"
	for name, tt := range map[string]struct {
		do     string
		by     biz.Identity
		change func(*biz.ActState)
		reason string
	}{
		"an edit in time":                   {edit, alice, func(s *biz.ActState) { s.Now = said.Add(window) }, ""},
		"an edit that is late":              {edit, alice, func(s *biz.ActState) { s.Now = said.Add(window + time.Microsecond) }, "EDIT_WINDOW_OVER"},
		"a recall in time":                  {recall, alice, func(s *biz.ActState) { s.Now = said.Add(window) }, ""},
		"a recall that is late":             {recall, alice, func(s *biz.ActState) { s.Now = said.Add(window + time.Microsecond) }, "RECALL_WINDOW_OVER"},
		"a late recall by a moderator":      {recall, alice, func(s *biz.ActState) { s.Now, s.Sender.Role = said.Add(time.Hour), biz.RoleModerator }, ""},
		"a late recall by a service":        {recall, service, func(s *biz.ActState) { s.Now, s.Sender = said.Add(time.Hour), nil }, ""},
		"an edit by a service for nobody":   {edit, service, func(s *biz.ActState) { s.Sender = nil }, "INVALID_ARGUMENT"},
		"an edit by somebody muted":         {edit, alice, func(s *biz.ActState) { s.Sender.Muted = true }, "MUTED"},
		"a reaction by somebody muted":      {react, alice, func(s *biz.ActState) { s.Sender.Muted = true }, "MUTED"},
		"a recall by somebody muted":        {recall, alice, func(s *biz.ActState) { s.Sender.Muted = true }, ""},
		"an edit by who has left":           {edit, alice, func(s *biz.ActState) { s.Sender = nil }, "NOT_A_MEMBER"},
		"a recall by who has left":          {recall, alice, func(s *biz.ActState) { s.Sender = nil }, "NOT_A_MEMBER"},
		"a reaction by who never was there": {react, alice, func(s *biz.ActState) { s.Sender, s.Message, s.Room.HeadSeq = nil, nil, 3 }, "NOT_A_MEMBER"},
		"a stranger's recall of an event": {recall, bob, func(s *biz.ActState) {
			s.Sender = nil
			s.Message.Type, s.Message.Metadata = biz.TypeSystem, map[string]string{biz.MetaEventType: "x"}
		}, "NOT_A_MEMBER"},
		"a stranger's edit of what is gone":  {edit, bob, func(s *biz.ActState) { s.Sender, s.Message = nil, nil }, "NOT_A_MEMBER"},
		"an edit in a direct room":           {edit, alice, func(s *biz.ActState) { s.Room.Kind = biz.KindDirect }, ""},
		"a recall in a direct room":          {recall, alice, func(s *biz.ActState) { s.Room.Kind = biz.KindDirect }, ""},
		"another's recall in a direct room":  {recall, bob, func(s *biz.ActState) { s.Room.Kind = biz.KindDirect }, "DIRECT_ROOM"},
		"another's edit":                     {edit, bob, func(*biz.ActState) {}, "NOT_YOUR_MESSAGE"},
		"another's recall":                   {recall, bob, func(*biz.ActState) {}, "ROLE_TOO_LOW"},
		"a moderator's recall of an admin's": {recall, bob, func(s *biz.ActState) { s.Sender.Role, s.Member.Role = biz.RoleModerator, biz.RoleAdmin }, "ROLE_TOO_LOW"},
		"an edit of a recording":             {edit, alice, func(s *biz.ActState) { s.Message.Type = biz.TypeAudio }, "INVALID_TYPE"},
		"a reaction to an event": {react, alice, func(s *biz.ActState) {
			s.Message.Type, s.Message.Metadata = biz.TypeSystem, map[string]string{biz.MetaEventType: "x"}
		}, "NOT_A_MESSAGE"},
		"a reaction to what was before": {react, alice, func(s *biz.ActState) { s.Sender.JoinSeq = 5 }, "MESSAGE_NOT_FOUND"},
		"an edit of what is gone":       {edit, alice, func(s *biz.ActState) { s.Message = nil }, "MESSAGE_NOT_FOUND"},
		"an edit of what was recalled":  {edit, alice, func(s *biz.ActState) { s.Message.State = &biz.MessageState{Version: 1, Recalled: true} }, "MESSAGE_RECALLED"},
		"a late recall, again": {recall, alice, func(s *biz.ActState) {
			s.Now, s.Message.State = said.Add(time.Hour), &biz.MessageState{Version: 1, Recalled: true, RecallSeq: 7}
		}, ""},
		"a room that keeps nothing": {recall, alice, func(s *biz.ActState) { s.Room.Config.Persistent, s.Message = false, nil }, "ROOM_NOT_PERSISTENT"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &acting{state: biz.ActState{
				Now: said.Add(time.Second), Room: durable("r"), Sender: &biz.Member{User: tt.by.User, Role: biz.RoleUser},
				Member:  &biz.Member{User: "alice", Role: biz.RoleUser},
				Message: &biz.Message{Room: "r", Seq: 5, Sender: "alice", Type: biz.TypeText, Time: said, Content: []byte("x")},
			}}
			log.state.Room.HeadSeq = 9
			tt.change(&log.state)
			messages := biz.NewMessages(newStore(), log, &live{}, biz.MessageRules{MaxContentBytes: 9, MaxMetadataBytes: 9, EditWindow: window, RecallWindow: window})
			r := biz.NewRevisions(messages, biz.NewHistory(newPast("u")), authors{}, nil, slog.New(slog.DiscardHandler))
			var got biz.Revised
			var err error
			switch tt.do {
			case edit:
				got, err = r.Edit(t.Context(), tt.by, biz.EditRequest{Room: "r", Seq: 5, Content: []byte("y")})
			case recall:
				got, err = r.Recall(t.Context(), tt.by, biz.RecallRequest{Room: "r", Seq: 5})
			case react:
				got, err = r.React(t.Context(), tt.by, biz.ReactRequest{Room: "r", Seq: 5, Reaction: "x"})
			}
			switch {
			case tt.reason == "" && (err != nil || got.Seq == 0 || got.State.Version != 1):
				t.Errorf("%+v, %v", got, err)
			case tt.reason != "" && (err == nil || biz.AsError(err).Reason != tt.reason):
				t.Errorf("%v, want %s", err, tt.reason)
			}
		})
	}
}

// TestMessageAt: a reader sees nothing of a message from its time on, and the same whenever he reads it.
func TestMessageAt(t *testing.T) {
	t.Parallel()
	over := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &biz.Message{
		Seq: 1, Content: []byte("x"), Metadata: map[string]string{"k": "v"}, Mentions: []biz.UserID{"u"}, ExpiresAt: over,
		State: &biz.MessageState{Version: 3, Edits: 1, Reactions: []biz.ReactionCount{{Reaction: "x", Users: 1}}},
	}
	if got := m.At(over.Add(-1)); got != m {
		t.Errorf("before its time: %+v", got)
	}
	for _, late := range []time.Duration{0, time.Hour} {
		got := m.At(over.Add(late))
		s := got.State
		if got.Content != nil || got.Metadata != nil || got.Mentions != nil || !s.Recalled || s.Version != 4 || !s.RecalledAt.Equal(over) || s.RecalledBy != "" || s.Reactions != nil || s.Edits != 1 {
			t.Errorf("%s late: %+v, %+v", late, got, s)
		}
		if again := got.At(over.Add(late)); again != got {
			t.Errorf("of one that is erased: %+v", again)
		}
	}
	if m.State.Version != 3 || len(m.State.Reactions) != 1 || string(m.Content) != "x" {
		t.Errorf("the message itself has become %+v", m)
	}
	if plain := (&biz.Message{Content: []byte("x")}); plain.At(over) != plain {
		t.Error("a message without a time expires")
	}
}

// later decides acts on a goroutine of its own, and answers nobody.
type later struct {
	biz.MessageLog
	state   biz.ActState
	running sync.WaitGroup
}

func (l *later) Append(d *biz.Draft, _ func(biz.Receipt, error)) {
	state := l.state
	state.Sender, state.Member = clone(state.Sender), clone(state.Member)
	l.running.Go(func() { _, _ = d.Act.Decide(state) })
}

func clone(m *biz.Member) *biz.Member {
	c := *m
	return &c
}

// TestWhoDoesNotWaitForADecision: what is decided after its caller has gone is none of his business. It is one for the
// race detector.
func TestWhoDoesNotWaitForADecision(t *testing.T) {
	t.Parallel()
	now := time.Now()
	log := &later{state: biz.ActState{
		Now: now, Room: biz.Room{ID: "r", Config: biz.DefaultRoomConfig(), HeadSeq: 1},
		Sender:  &biz.Member{Room: "r", User: "alice", Role: biz.RoleAdmin},
		Member:  &biz.Member{Room: "r", User: "bob", Role: biz.RoleUser},
		Message: &biz.Message{Room: "r", Seq: 1, Sender: "alice", Type: biz.TypeText, Time: now},
	}}
	s, l := newStore(), &live{}
	messages := biz.NewMessages(s, log, l, biz.MessageRules{MaxContentBytes: 9})
	revisions := biz.NewRevisions(messages, biz.NewHistory(nil), authors{}, nil, slog.New(slog.DiscardHandler))
	admin := biz.NewRoomAdmin(biz.NewRooms(s, s, log, l, l, openRules), nil, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	name, bob := "new", biz.OfMember{Room: "r", Member: "bob"}
	for what, do := range map[string]func() (any, error){
		"recall": func() (any, error) { return revisions.Recall(ctx, alice, biz.RecallRequest{Room: "r", Seq: 1}) },
		"react": func() (any, error) {
			return revisions.React(ctx, alice, biz.ReactRequest{Room: "r", Seq: 1, Reaction: "ok"})
		},
		"edit":   func() (any, error) { return revisions.Edit(ctx, alice, biz.EditRequest{Room: "r", Seq: 1}) },
		"role":   func() (any, error) { return admin.SetRole(ctx, alice, bob, biz.RoleModerator) },
		"mute":   func() (any, error) { return admin.Mute(ctx, alice, bob) },
		"update": func() (any, error) { return admin.Update(ctx, alice, biz.UpdateRoom{Room: "r", Name: &name}) },
		"invite": func() (any, error) { return nil, admin.Invite(ctx, alice, bob) },
		"kick":   func() (any, error) { return nil, admin.Kick(ctx, alice, bob) },
	} {
		if _, err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	log.running.Wait()
}
