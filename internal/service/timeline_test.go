package service_test

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// timeline is what a client holds of a room: each message as it is, of whatever it was told, in whatever order.
type timeline map[int64]*held

// held is a message. Its state and its content are each as of the newest version that was seen of them.
type held struct {
	*imv1.MessageResponse
	content int64 // the version
}

// apply takes in a message. What an event says of another one counts if it is newer than what is held of that.
func (tl timeline) apply(t *rapid.T, m *imv1.MessageResponse) {
	if m.GetMetadata()[biz.MetaEventType] == "" {
		had := tl[m.GetSeq()]
		if had == nil {
			had = &held{proto.CloneOf(m), m.GetState().GetVersion()}
			tl[m.GetSeq()] = had
		}
		had.tell(m.GetState())
		had.say(m.GetState(), m.GetContent(), m.GetMetadata(), m.GetMentions())
		return
	}
	content := &imv1.SystemContent{}
	if err := proto.Unmarshal(m.GetContent(), content); err != nil || content.GetTargetSeq() == 0 {
		t.Fatalf("event %v: %v", m, err)
	}
	had := tl[content.GetTargetSeq()]
	if had == nil {
		return
	}
	had.tell(content.GetState())
	if content.GetEventType() == string(biz.EventEdited) {
		had.say(content.GetState(), content.GetContent(), content.GetMetadata(), m.GetMentions())
	}
}

func (h *held) tell(s *imv1.MessageState) {
	if s.GetVersion() > h.GetState().GetVersion() {
		h.State = s
	}
	if h.GetState().GetRecalled() {
		h.say(h.GetState(), nil, nil, nil)
	}
}

func (h *held) say(s *imv1.MessageState, content []byte, metadata map[string]string, mentions []string) {
	if s.GetVersion() > h.content {
		h.content, h.Content, h.Metadata, h.Mentions = s.GetVersion(), content, metadata, mentions
	}
}

// bytes is all of it.
func (tl timeline) bytes(t *rapid.T) []byte {
	var all []byte
	for _, seq := range slices.Sorted(maps.Keys(tl)) {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(tl[seq].MessageResponse)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, b...), '\n')
	}
	return all
}
