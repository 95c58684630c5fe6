package cluster

import (
	"reflect"
	"testing"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// TestOlderNodes: what nodes send each other, and where, is byte by byte what older ones send and read. What becomes
// possible later is added here; nothing that is here changes.
func TestOlderNodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sent string
		is   envelope
	}{
		{"\b\x01\x12\x01n\x1a\x06room:a \xac\x02*\x01f2\x01o:\x01s@\x03X\x80\x80\x80\x80\x80 ", envelope{
			kind: kindPublication, node: "n", channel: "room:a", seq: 300, frame: []byte("f"), own: []byte("o"), from: "s",
			flags: flagAckRequired | flagNotToFrom, expires: 1 << 40,
		}},
		{"\b\x01\x12\x01n\x1a\x06room:a \a*\x00@\x04\x82\x01\x05 \b*\x01g", envelope{
			kind: kindPublication, node: "n", channel: "room:a", seq: 7, frame: []byte{}, flags: flagOwn,
			more: [][]byte{[]byte(" \b*\x01g")}, // number 8
		}},
		{"\b\x01\x12\x01n\x1a\x06room:ab\x01eh\x05r\x01iz\x06typing", envelope{
			kind: kindPublication, node: "n", channel: "room:a", turn: frame.Turn{Epoch: "e", Number: 5}, name: "i", ephemeral: "typing",
		}},
		{"\b\x02\x12\x01n\x1a\x06room:a", envelope{kind: kindHole, node: "n", channel: "room:a"}},
		{"\b\x03\x12\x01n\x1a\x05node:H\tR\x01b", envelope{kind: kindRequest, node: "n", channel: broker.EveryNode, id: 9, body: []byte("b")}},
		{"\b\x04\x12\x01nH\tR\x01b", envelope{kind: kindAnswer, node: "n", id: 9, body: []byte("b")}},
		{"\b\x05\x12\x01nH\x01R\x01i", envelope{kind: kindHello, node: "n", id: 1, body: []byte("i")}},
		{"\b\x06\x12\x01nH\x02R\x01i", envelope{kind: kindBye, node: "n", id: 2, body: []byte("i")}},
	} {
		if got := string(tt.is.marshal()); got != tt.sent {
			t.Errorf("%+v is sent as\n%q, want\n%q", tt.is, got, tt.sent)
		}
		if got, err := unmarshal([]byte(tt.sent)); err != nil || !reflect.DeepEqual(got, tt.is) {
			t.Errorf("%q is read as\n%+v, %v, want\n%+v", tt.sent, got, err, tt.is)
		}
	}
	s, err := newSubjects("hermod")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		broker.EveryNode:         "hermod.all",
		broker.NodeChannel("n1"): "hermod.c.node:n1",
		"room:a":                 "hermod.c.room:a",
		"room:näme":              "hermod.c.~J743uiQeT0KBHKmk0eKgXOQw",
	} {
		if got := s.channel(name); got != want {
			t.Errorf("%q is told at %q, want %q", name, got, want)
		}
	}
}
