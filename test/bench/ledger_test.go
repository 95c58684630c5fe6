package main

import (
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func textFrame(sender uint32, number uint64, seq int64) frame {
	return frame{kind: imv1.MessageType_MESSAGE_TYPE_TEXT, seq: seq, content: stamp{sender: sender, number: number}.content()}
}

func ackFrame(t *testing.T, id string, success bool, seq int64) frame {
	t.Helper()
	content, err := proto.Marshal(&imv1.AckContent{OriginalMessageId: id, Success: success})
	if err != nil {
		t.Fatal(err)
	}
	return frame{kind: imv1.MessageType_MESSAGE_TYPE_ACK, seq: seq, content: content}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	notice := frame{kind: imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM, content: []byte("anything")}
	tests := []struct {
		name    string
		durable bool
		frames  []frame
		wrong   bool // the last frame is
	}{
		{"volatile, in order", false, []frame{textFrame(0, 0, 0), notice, textFrame(1, 0, 0), textFrame(0, 1, 0)}, false},
		{"volatile, a message lost", false, []frame{textFrame(0, 0, 0), textFrame(0, 2, 0)}, true},
		{"volatile, a message twice", false, []frame{textFrame(0, 0, 0), textFrame(0, 0, 0)}, true},
		{"unknown sender", false, []frame{textFrame(2, 0, 0)}, true},
		{"durable, with an own message between", true, []frame{textFrame(0, 0, 8), ackFrame(t, "0", true, 9), textFrame(0, 1, 10)}, false},
		{"durable, a hole", true, []frame{textFrame(0, 0, 8), textFrame(0, 1, 10)}, true},
		{"durable, backwards", true, []frame{textFrame(0, 0, 8), textFrame(0, 1, 7)}, true},
		{"durable, no seq", true, []frame{textFrame(0, 0, 0)}, true},
		{"refused", false, []frame{ackFrame(t, "0", false, 0)}, true},
		{"ACK out of turn", false, []frame{ackFrame(t, "1", true, 0)}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{durable: tt.durable, next: make([]uint64, 2)}
			last := len(tt.frames) - 1
			for i, f := range tt.frames {
				if err := l.take(f); (err != nil) != (tt.wrong && i == last) {
					t.Fatalf("frame %d: error %v", i, err)
				}
			}
		})
	}
}
