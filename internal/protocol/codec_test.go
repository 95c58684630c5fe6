package protocol_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
)

func payloads() []any {
	at := time.Unix(1, 2003).UTC()
	m := &biz.Message{
		ID: "id", Room: "r", Seq: 7, Sender: "alice", ClientID: "c", Type: biz.TypeAudio, Content: []byte("\x00\xff"),
		Metadata: map[string]string{"k": "v"}, AckRequired: true, Time: at,
		ReplyTo: 3, Mentions: []biz.UserID{"bob", biz.MentionAll}, ExpiresAt: at.Add(time.Hour),
		State: &biz.MessageState{
			Version: 5, Edits: 2, EditedAt: at, Recalled: true, RecalledBy: "carol", RecalledAt: at.Add(time.Minute), RecallSeq: 9,
			Reactions: []biz.ReactionCount{{Reaction: "👍", Users: 2}, {Reaction: "x", Users: 1}},
		},
	}
	return []any{
		m, protocol.Own{Message: m}, &biz.Message{Content: []byte{}},
		&protocol.Notice{Type: biz.TypeJoinRoom, ID: "n", Room: "r", User: "bob", Metadata: map[string]string{"role": "user"}, Time: at},
		&biz.Ephemeral{Room: "r", User: "bob", Kind: "typing", Data: map[string]string{"k": "v"}, Time: at},
	}
}

// TestWhatANodeSendsIsReadByAnother: every field that a payload has crosses.
func TestWhatANodeSendsIsReadByAnother(t *testing.T) {
	t.Parallel()
	for _, p := range payloads() {
		b, err := protocol.Codec{}.Append([]byte("before"), p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := protocol.Codec{}.Decode(b[len("before"):])
		if err != nil || !same(got, p) {
			t.Errorf("%#v comes as %#v, %v", p, got, err)
		}
	}
	m := payloads()[0]
	if own, ok := (protocol.Codec{}).Own(m); !ok || own != payloadOwn(m) {
		t.Errorf("the sender's other sessions would get %v", own)
	}
	if _, err := (protocol.Codec{}).Append(nil, &protocol.Heartbeat{}); err == nil {
		t.Error("what concerns one session is sent to others")
	}
}

func payloadOwn(m any) any { return protocol.Own{Message: m.(*biz.Message)} }

// same compares payloads; content without a byte and metadata without an entry are none.
func same(a, b any) bool {
	for _, p := range []any{a, b} {
		switch m := p.(type) {
		case *biz.Message:
			m.Content, m.Metadata = append([]byte{}, m.Content...), filled(m.Metadata)
		case protocol.Own:
			m.Content, m.Metadata = append([]byte{}, m.Content...), filled(m.Metadata)
		case *protocol.Notice:
			m.Metadata = filled(m.Metadata)
		case *biz.Ephemeral:
			m.Data = filled(m.Data)
		}
	}
	return reflect.DeepEqual(a, b)
}

func filled(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

func FuzzCodec(f *testing.F) {
	for _, p := range payloads() {
		b, err := protocol.Codec{}.Append(nil, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := protocol.Codec{}.Decode(b)
		if err != nil {
			return
		}
		again, err := protocol.Codec{}.Append(nil, p)
		if err != nil {
			t.Fatalf("%#v was read and cannot be written: %v", p, err)
		}
		if q, err := (protocol.Codec{}).Decode(again); err != nil || !same(q, p) {
			t.Fatalf("%#v comes as %#v, %v", p, q, err)
		}
	})
}
