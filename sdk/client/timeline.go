package client

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"sort"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Timeline holds a room that keeps its messages as it is now: each message with the content that it has, what
// was said of it since, and where it was taken back. It is told of what OnMessage, History, Past and Sync bring, in
// whatever order, as often as it comes, live or in pages: who has been told of the same messages holds the same,
// byte for byte.
//
// That is so because the state of a message has a version, and content and state are those of the highest that
// was seen, in the message itself or in an event about it. What tells of a message may come before the message.
//
// One Timeline is one room's. The zero value is ready. It belongs to one goroutine at a time; what it is told
// and what it returns must not be changed.
type Timeline struct {
	places map[int64]*place
	order  []int64 // the seqs of what Messages has, ascending
	floor  int64
}

// place is what is known of one seq of the room.
type place struct {
	msg     *imv1.MessageResponse // as it was first said, or found; nil: it has not come
	state   *imv1.MessageState    // the newest that was seen
	content *content              // the newest that was seen; nil: msg's own
	now     *imv1.MessageResponse // what it is now; nil: to be made
}

// content is what a message says, as of a version of its state.
type content struct {
	asOf     int64
	content  []byte
	metadata map[string]string
	mentions []string
}

// Apply takes in a message, which may tell of an event. It returns the seq of the message that is other than
// it was, or new; 0: none is. Messages without a seq, such as notices and those of rooms that keep none, and
// what is a word to one client, change nothing.
func (t *Timeline) Apply(msg *imv1.MessageResponse) (changed int64) {
	if msg.GetSeq() <= t.floor {
		return 0
	}
	e, isEvent := EventOf(msg)
	switch {
	case isEvent && e.Type == EventMessagesGone:
		return 0
	case isEvent && aboutMessages[e.Type]:
		return t.applyEvent(e)
	}
	return t.applyMessage(msg)
}

func (t *Timeline) applyEvent(e *Event) int64 {
	if e.Target <= t.floor { // 0 included
		return 0
	}
	p := t.place(e.Target)
	changed := p.advance(e.State)
	if e.Type == EventEdited {
		changed = p.replace(&content{e.State.GetVersion(), e.Content, e.Metadata, e.Mentions}) || changed
	}
	if !changed || p.msg == nil {
		return 0
	}
	return e.Target
}

func (t *Timeline) applyMessage(msg *imv1.MessageResponse) int64 {
	seq := msg.GetSeq()
	p := t.place(seq)
	isNew := p.msg == nil
	if isNew {
		p.msg = msg
		t.insert(seq)
	}
	changed := p.advance(msg.GetState())
	changed = p.replace(&content{msg.GetState().GetVersion(), msg.GetContent(), said(msg), msg.GetMentions()}) || changed
	if !changed && !isNew {
		return 0
	}
	return seq
}

func (t *Timeline) place(seq int64) *place {
	p := t.places[seq]
	if p == nil {
		if t.places == nil {
			t.places = map[int64]*place{}
		}
		p = &place{}
		t.places[seq] = p
	}
	return p
}

func (t *Timeline) insert(seq int64) {
	i := sort.Search(len(t.order), func(i int) bool { return t.order[i] > seq })
	t.order = slices.Insert(t.order, i, seq)
}

// advance takes a state if it is newer.
func (p *place) advance(s *imv1.MessageState) bool {
	if s.GetVersion() <= p.state.GetVersion() {
		return false
	}
	p.state, p.now = s, nil
	return true
}

// replace takes a content if it is newer, and tells whether that can be seen.
func (p *place) replace(c *content) bool {
	if p.content != nil && c.asOf <= p.content.asOf {
		return false
	}
	same := p.state.GetRecalled() || p.content != nil && p.content.says(c)
	p.content, p.now = c, nil
	return !same
}

func (c *content) says(other *content) bool {
	return bytes.Equal(c.content, other.content) && maps.Equal(c.metadata, other.metadata) && slices.Equal(c.mentions, other.mentions)
}

// said is the metadata of a message without what the server adds for one session.
func said(msg *imv1.MessageResponse) map[string]string {
	md := msg.GetMetadata()
	if _, added := md[keyClientID]; !added {
		return md
	}
	kept := make(map[string]string, len(md)-1)
	for k, v := range md {
		if k != keyClientID {
			kept[k] = v
		}
	}
	return kept
}

// present returns the message as it is now.
func (p *place) present() *imv1.MessageResponse {
	if p.now != nil {
		return p.now
	}
	m := p.msg
	p.now = &imv1.MessageResponse{
		MessageId: m.GetMessageId(), FromUserId: m.GetFromUserId(), RoomId: m.GetRoomId(), Type: m.GetType(),
		Timestamp: m.GetTimestamp(), Seq: m.GetSeq(), ReplyToSeq: m.GetReplyToSeq(), State: p.state,
	}
	if !p.state.GetRecalled() {
		p.now.Content, p.now.Metadata, p.now.Mentions = p.content.content, p.content.metadata, p.content.mentions
		p.now.ExpiresAt = m.GetExpiresAt()
	}
	return p.now
}

// Message returns the message at seq as it is now. False: it has not come, or seq is that of an event about
// another one.
func (t *Timeline) Message(seq int64) (*imv1.MessageResponse, bool) {
	p := t.places[seq]
	if p == nil || p.msg == nil {
		return nil, false
	}
	return p.present(), true
}

// Messages returns all messages as they are now, in the order of seq. One that was taken back has no content,
// and a State that says so. Events about messages are in what they are about; other events are among them.
// The Timeline must not be told of anything meanwhile.
func (t *Timeline) Messages() iter.Seq[*imv1.MessageResponse] {
	return func(yield func(*imv1.MessageResponse) bool) {
		for _, seq := range t.order {
			if !yield(t.places[seq].present()) {
				return
			}
		}
	}
}

// Backward is Messages from the newest one on.
func (t *Timeline) Backward() iter.Seq[*imv1.MessageResponse] {
	return func(yield func(*imv1.MessageResponse) bool) {
		for _, seq := range slices.Backward(t.order) {
			if !yield(t.places[seq].present()) {
				return
			}
		}
	}
}

// Len returns how many messages there are.
func (t *Timeline) Len() int { return len(t.order) }

// Forget drops everything up to seq, and does not take it in again: what is below the room's floor, what does
// not connect to what follows after a Sync's reset, or what is more than the program wants to keep.
func (t *Timeline) Forget(seq int64) {
	t.floor = max(t.floor, seq)
	for s := range t.places {
		if s <= t.floor {
			delete(t.places, s)
		}
	}
	i := sort.Search(len(t.order), func(i int) bool { return t.order[i] > t.floor })
	t.order = slices.Clone(t.order[i:])
}
