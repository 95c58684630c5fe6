package biz_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

const (
	maxContent  = 64
	maxMetadata = 32
)

// scene is a durable room r whose members are alice, carol and mute, and a room v that keeps
// nothing.
type scene struct {
	*store
	live     *live
	messages *biz.Messages
}

func newScene() *scene {
	s, l := newStore(), &live{}
	s.put(durable("r"), "alice", "carol", "mute")
	s.members["r"][2].Muted = true
	s.put(biz.Room{ID: "v"}, "alice")
	rules := biz.MessageRules{MaxContentBytes: maxContent, MaxMetadataBytes: maxMetadata}
	return &scene{s, l, biz.NewMessages(s, s, l, rules)}
}

type sent struct {
	biz.Receipt
	err error
}

// send returns the outcome, of which there must be exactly one.
func (s *scene) send(t rapid.TB, by biz.Identity, m biz.Message) (o sent) {
	t.Helper()
	calls := 0
	s.messages.Send(context.Background(), by, &biz.Draft{Message: m}, func(r biz.Receipt, err error) {
		calls++
		o = sent{r, err}
	})
	if calls != 1 {
		t.Errorf("%d outcomes", calls)
	}
	return o
}

func TestSendRefusals(t *testing.T) {
	t.Parallel()
	text := func(room biz.RoomID) biz.Message { return biz.Message{Room: room, Type: biz.TypeText} }
	typed := func(n biz.MessageType) biz.Message { return biz.Message{Room: "r", Type: n} }
	tests := []struct {
		name   string
		by     biz.Identity
		m      biz.Message
		kind   biz.Kind
		reason string
	}{
		{"fine", alice, text("r"), 0, ""},
		{"in another's name", alice, biz.Message{Room: "r", Sender: "carol", Type: biz.TypeText}, biz.KindPermissionDenied, "FOREIGN_USER"},
		{"service in another's name", backend, biz.Message{Room: "r", Sender: "carol", Type: biz.TypeText}, 0, ""},
		{"service in a stranger's name", backend, biz.Message{Room: "r", Sender: "bob", Type: biz.TypeText}, biz.KindPermissionDenied, "NOT_A_MEMBER"},
		{"nobody", nobody, text("r"), biz.KindInvalid, "INVALID_ARGUMENT"},
		{"no room", alice, text(""), biz.KindInvalid, "INVALID_ARGUMENT"},
		{"unknown room", alice, text("x"), biz.KindNotFound, "ROOM_NOT_FOUND"},
		{"not a member", bob, text("r"), biz.KindPermissionDenied, "NOT_A_MEMBER"},
		{"muted", biz.Identity{User: "mute"}, text("r"), biz.KindPermissionDenied, "MUTED"},
		{"room without audio", alice, biz.Message{Room: "v", Type: biz.TypeAudio}, biz.KindPermissionDenied, "AUDIO_NOT_ALLOWED"},
		{"room without rich text", alice, biz.Message{Room: "v", Type: biz.TypeRichText}, biz.KindPermissionDenied, "RICH_TEXT_NOT_ALLOWED"},
		{"room without either takes text", alice, text("v"), 0, ""},
		{"audio", alice, typed(biz.TypeAudio), 0, ""},
		{"rich text", alice, typed(biz.TypeRichText), 0, ""},
		{"SYSTEM by a client", alice, typed(biz.TypeSystem), biz.KindPermissionDenied, "SYSTEM_NOT_ALLOWED"},
		{"SYSTEM by a trusted caller", devAlice, typed(biz.TypeSystem), 0, ""},
		{"SYSTEM by a service", biz.Identity{User: "alice", Roles: []string{biz.RoleService}}, typed(biz.TypeSystem), 0, ""},
		{"type unspecified", alice, typed(0), biz.KindInvalid, "INVALID_TYPE"},
		{"ACK", alice, typed(biz.TypeAck), biz.KindInvalid, "INVALID_TYPE"},
		{"JOIN_ROOM", alice, typed(biz.TypeJoinRoom), biz.KindInvalid, "INVALID_TYPE"},
		{"LEAVE_ROOM", alice, typed(biz.TypeLeaveRoom), biz.KindInvalid, "INVALID_TYPE"},
		{"HEARTBEAT", alice, typed(biz.TypeHeartbeat), biz.KindInvalid, "INVALID_TYPE"},
		{"JOIN_ROOM by a service", backend, biz.Message{Room: "r", Sender: "alice", Type: biz.TypeJoinRoom}, biz.KindInvalid, "INVALID_TYPE"},
		{"type 9", alice, typed(9), biz.KindInvalid, "INVALID_TYPE"},
		{"type -1", alice, typed(-1), biz.KindInvalid, "INVALID_TYPE"},
		{"the least type", alice, typed(math.MinInt32), biz.KindInvalid, "INVALID_TYPE"},
		{"the greatest type", alice, typed(math.MaxInt32), biz.KindInvalid, "INVALID_TYPE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			o := s.send(t, test.by, test.m)
			wantError(t, o.err, test.kind, test.reason)
			if n := len(s.drafts) + len(s.live.delivered); (n == 1) != (test.reason == "") {
				t.Errorf("%d messages stored or delivered", n)
			}
		})
	}
}

func TestPayloadLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		content  int
		metadata map[string]string
		reason   string
	}{
		{"nothing", 0, nil, ""},
		{"content at the limit", maxContent, nil, ""},
		{"content above it", maxContent + 1, nil, "CONTENT_TOO_LARGE"},
		{"metadata at the limit", 0, map[string]string{"ab": strings.Repeat("x", maxMetadata-4), "c": "d"}, ""},
		{"metadata above it", 0, map[string]string{"ab": strings.Repeat("x", maxMetadata-3), "c": "d"}, "METADATA_TOO_LARGE"},
		{"one long key", 0, map[string]string{strings.Repeat("k", maxMetadata+1): ""}, "METADATA_TOO_LARGE"},
		{"both at the limit", maxContent, map[string]string{strings.Repeat("k", maxMetadata): ""}, ""},
		{"NUL in a value", 0, map[string]string{"k": "\x00"}, "INVALID_ARGUMENT"},
		{"NUL in a key", 0, map[string]string{"\x00": "v"}, "INVALID_ARGUMENT"},
		{"a value not in UTF-8", 0, map[string]string{"k": "\xff"}, "INVALID_ARGUMENT"},
		{"a key not in UTF-8", 0, map[string]string{"\xff": "v"}, "INVALID_ARGUMENT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := newScene().send(t, alice, biz.Message{
				Room: "r", Type: biz.TypeText, Content: make([]byte, test.content), Metadata: test.metadata,
			})
			wantError(t, o.err, biz.KindInvalid, test.reason)
		})
	}
}

func TestSendStoresWhatWasGiven(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newScene()
		content := rapid.SliceOfN(rapid.Byte(), 0, maxContent).Draw(t, "content")
		given := biz.Message{
			Room: "r", ClientID: rapid.StringMatching(`[a-z0-9]{0,20}`).Draw(t, "id"), Type: biz.TypeText,
			Content: bytes.Clone(content), Metadata: map[string]string{"k": "v"}, AckRequired: rapid.Bool().Draw(t, "ack"),
		}
		o := s.send(t, alice, given)
		if o.err != nil || o.Seq != 1 || o.ID == "" || o.Time.IsZero() {
			t.Fatalf("%+v", o)
		}
		d := s.drafts[0]
		if d.Sender != "alice" || !bytes.Equal(d.Content, content) || d.ClientID != given.ClientID || d.AckRequired != given.AckRequired {
			t.Fatalf("stored %+v", d)
		}
		if len(s.live.delivered) != 0 {
			t.Fatal("the log delivers, not Send")
		}
	})
}

func TestRoomsThatKeepNothingDeliverAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene()
	o := s.send(t, alice, biz.Message{Room: "v", Type: biz.TypeText, Content: []byte("x")})
	if o.err != nil || o.Seq != 0 || o.ID == "" || o.Time.IsZero() || o.Duplicate {
		t.Fatalf("%+v", o)
	}
	if len(s.drafts) != 0 || len(s.live.delivered) != 1 {
		t.Fatalf("%d stored, %d delivered", len(s.drafts), len(s.live.delivered))
	}
	d := s.live.delivered[0]
	if d.ID != o.ID || d.Seq != 0 || d.Sender != "alice" || !d.Time.Equal(o.Time) {
		t.Errorf("delivered %+v, receipt %+v", d.Message, o.Receipt)
	}
	if seq, ok := biz.SeqOfMessageID(o.ID, "v"); !ok || seq != 0 {
		t.Errorf("the id carries %d, %v", seq, ok)
	}
}

func TestSendTellsOfAStoreThatFails(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.err = errors.New("disk on fire")
	o := s.send(t, alice, biz.Message{Room: "r", Type: biz.TypeText})
	wantError(t, o.err, biz.KindInternal, "INTERNAL")
}
