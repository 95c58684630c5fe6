package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// texts is a codec of payloads that are strings.
type texts struct{}

func (texts) Append(dst []byte, payload any) ([]byte, error) {
	s, ok := payload.(string)
	if !ok {
		return nil, errors.New("no text")
	}
	return append(dst, s...), nil
}

func (texts) Own(payload any) (any, bool) { return "own " + payload.(string), true }

func (texts) Decode(b []byte) (any, error) { return string(b), nil }

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	for _, p := range []*frame.Publication{
		{Channel: "a"},
		{Channel: "a", Seq: 1 << 62, Frame: frame.New("")},
		{Channel: "a", Frame: frame.New("x"), Turn: frame.Turn{Epoch: "e", Number: 1 << 62}, ID: "i"},
		{Channel: "a\x00\xff", Frame: frame.NewUntil("x", time.Unix(1, 2)), From: "b", Own: frame.New("y"), AckRequired: true, NotToFrom: true},
		{Channel: "a", Seq: 1, Frame: frame.New("x"), From: "b", Own: frame.New("own x")},
	} {
		e, err := seal(texts{}, "node", p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := unmarshal(e.marshal())
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Fatalf("%+v, %v, want %+v", back, err, e)
		}
		q, err := back.open(texts{})
		if err != nil {
			t.Fatal(err)
		}
		if size := len(e.frame) + len(e.own); q.Bytes != size {
			t.Errorf("%d bytes, want %d", q.Bytes, size)
		}
		q.Bytes = 0
		if !reflect.DeepEqual(p, q) {
			t.Errorf("%+v, want %+v", q, p)
		}
		if p.Own != nil && p.Own.Payload() == "own x" && e.own != nil {
			t.Error("what follows from the frame is sent as well")
		}
	}
	if _, err := seal(texts{}, "node", &frame.Publication{Channel: "a", Frame: frame.New(1)}); err == nil {
		t.Error("what cannot be encoded was")
	}
}

// TestFollowers: publications travel behind the first of their channel, and who does not know of them has that one.
func TestFollowers(t *testing.T) {
	t.Parallel()
	first := envelope{kind: kindPublication, node: "n", channel: "a", seq: 1, frame: []byte("1")}
	for _, next := range []envelope{{seq: 2, frame: []byte("2"), from: "b"}, {seq: 3, frame: []byte("3"), flags: flagAckRequired}} {
		first.more = append(first.more, next.marshal())
	}
	back, err := unmarshal(first.marshal())
	if err != nil || !reflect.DeepEqual(back, first) {
		t.Fatalf("%+v, %v, want %+v", back, err, first)
	}
	for i, b := range back.more {
		e, err := back.follower(b)
		if err != nil || e.node != "n" || e.channel != "a" || e.kind != kindPublication || e.seq != int64(i+2) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if _, err := back.follower([]byte{0xff}); err == nil {
		t.Error("what is none was read")
	}
}

// TestNewerNodes: fields that this version does not know are skipped.
func TestNewerNodes(t *testing.T) {
	t.Parallel()
	e := envelope{kind: kindHole, node: "n", channel: "a"}
	b := protowire.AppendTag(e.marshal(), 100, protowire.VarintType)
	b = protowire.AppendVarint(b, 7)
	b = protowire.AppendTag(b, 101, protowire.Fixed64Type)
	b = binary.LittleEndian.AppendUint64(b, 7)
	b = protowire.AppendString(protowire.AppendTag(b, 102, protowire.BytesType), "new")
	if got, err := unmarshal(b); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add((&envelope{kind: kindRequest, node: "n", channel: "a", id: 3, body: []byte("b")}).marshal())
	f.Add((&envelope{kind: kindPublication, node: "n", channel: "a", seq: 3, frame: []byte{}, own: []byte("o"), expires: 1}).marshal())
	f.Add((&envelope{kind: kindPublication, node: "n", channel: "a", seq: 3, more: [][]byte{(&envelope{seq: 4, frame: []byte("x")}).marshal()}}).marshal())
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := unmarshal(b)
		if err != nil {
			return
		}
		again, err := unmarshal(e.marshal())
		if err != nil {
			t.Fatalf("%+v is not read again: %v", e, err)
		}
		if again.kind != e.kind || again.channel != e.channel || again.id != e.id || !bytes.Equal(again.body, e.body) || !bytes.Equal(again.frame, e.frame) {
			t.Fatalf("%+v became %+v", e, again)
		}
		if len(again.more) != len(e.more) {
			t.Fatalf("%d follow, of %d", len(again.more), len(e.more))
		}
		for _, b := range e.more {
			if next, err := e.follower(b); err == nil && (next.node != e.node || next.channel != e.channel) {
				t.Fatalf("%+v follows %+v", next, e)
			}
		}
		if _, err := e.open(texts{}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSubjects: whatever a channel is called, its subject has only what no engine takes for a pattern, and
// is its own.
func TestSubjects(t *testing.T) {
	t.Parallel()
	s, err := newSubjects("hermod-1")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	for _, name := range []string{
		"room:a", "room:A", "room:a.b", "room:*", "room:>", "room:{a}", "room: a", "room:ä", "room:\x00", "~x", "a", "all", "c",
		"room:" + strings.Repeat("x", 59), "room:" + strings.Repeat("x", 60), "room:" + strings.Repeat("ä", 10_000),
		broker.EveryNode, broker.NodeChannel("n"),
	} {
		subject := s.channel(name)
		if other, taken := seen[subject]; taken {
			t.Errorf("%q and %q are both %s", name, other, subject)
		}
		seen[subject] = name
		if !plain(strings.NewReplacer(".", "", "~", "").Replace(subject)) || len(subject) > 200 || strings.Contains(subject, "..") {
			t.Errorf("%q is %q", name, subject)
		}
	}
	for _, bad := range []string{"", "a.b", "a b", "ä", strings.Repeat("x", 65)} {
		if _, err := newSubjects(bad); err == nil {
			t.Errorf("a cluster may be named %q", bad)
		}
	}
}
