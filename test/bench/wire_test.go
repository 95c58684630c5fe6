package main

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func TestScan(t *testing.T) {
	t.Parallel()
	text := func(seq int64) *imv1.MessageResponse {
		return &imv1.MessageResponse{
			MessageId: "m", FromUserId: "u", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT,
			Content: []byte("hello"), Metadata: map[string]string{"k": "v"}, Seq: seq, LinkSeq: 7,
		}
	}
	tests := []struct {
		name string
		resp *imv1.MessageResponse
		seqs []int64
	}{
		{"single", text(5), []int64{5}},
		{"envelope", &imv1.MessageResponse{LinkSeq: 1, Batch: []*imv1.MessageResponse{text(1), text(2)}}, []int64{1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := proto.Marshal(tt.resp)
			if err != nil {
				t.Fatal(err)
			}
			var seqs []int64
			err = scan(b, func(f frame) error {
				if f.kind != imv1.MessageType_MESSAGE_TYPE_TEXT || string(f.content) != "hello" {
					t.Errorf("got kind %v with content %q", f.kind, f.content)
				}
				seqs = append(seqs, f.seq)
				return nil
			})
			if err != nil || !slices.Equal(seqs, tt.seqs) {
				t.Errorf("got seqs %v and error %v, want %v", seqs, err, tt.seqs)
			}
			if err := scan(b[:len(b)-1], func(frame) error { return nil }); err == nil {
				t.Error("a frame that was cut short passed")
			}
		})
	}
}

func TestTextRequest(t *testing.T) {
	t.Parallel()
	sent := stamp{sender: 3, number: 42, due: 1234}
	var req imv1.MessageRequest
	if err := proto.Unmarshal(textRequest("room", sent), &req); err != nil {
		t.Fatal(err)
	}
	got, err := readStamp(req.GetContent())
	if err != nil || got != sent {
		t.Errorf("got stamp %+v and error %v, want %+v", got, err, sent)
	}
	if req.GetMessageId() != "42" || req.GetRoomId() != "room" || req.GetType() != imv1.MessageType_MESSAGE_TYPE_TEXT {
		t.Errorf("got request %v", &req)
	}
	if _, err := readStamp(req.GetContent()[1:]); err == nil {
		t.Error("a content that was cut short passed")
	}
}
