package e2e

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestA2Idempotent sends the same message in every way, also across restarts: it is stored once,
// and every answer is the first one.
func TestA2Idempotent(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "reader", "alice", "bob")
	join(t, im, "other", "alice")
	reader := n.Connect(Hello{User: "reader", Room: "room"})

	original := &imv1.SendMessageRequest{
		UserId: "alice", RoomId: "room", Type: text, MessageId: "m 1",
		Content: []byte("once"), Metadata: map[string]string{"k": "v", "l": "w"},
	}
	send := func(req *imv1.SendMessageRequest) *imv1.SendMessageResponse {
		t.Helper()
		resp, err := im.SendMessage(within(t), req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	changed := func(change func(*imv1.SendMessageRequest)) *imv1.SendMessageRequest {
		req := proto.Clone(original).(*imv1.SendMessageRequest)
		change(req)
		return req
	}
	first := send(original)
	if first.GetSeq() != 1 || first.GetMessageId() == "" || first.GetMessageId() == "m 1" || first.GetTimestamp() == nil {
		t.Fatalf("first answer %v", first)
	}
	again := func(when string) {
		t.Helper()
		if second := send(original); !proto.Equal(first, second) {
			t.Errorf("%s, unary: %v, first %v", when, second, first)
		}
		alice := n.Connect(Hello{User: "alice", Room: "other", Capabilities: "ack"})
		for range 2 {
			alice.Send(&imv1.MessageRequest{
				MessageId: "m 1", RoomId: "room", Type: text, Content: []byte("once"),
				Metadata: map[string]string{"l": "w", "k": "v"},
			})
			f := alice.Next()
			if ack := f.Ack(t); !ack.GetSuccess() || ack.GetOriginalMessageId() != "m 1" ||
				f.GetSeq() != first.GetSeq() || f.GetMessageId() != first.GetMessageId() ||
				!proto.Equal(f.GetTimestamp(), first.GetTimestamp()) {
				t.Errorf("%s, on a stream: %v %v", when, f, ack)
			}
		}
		alice.End()
		for what, change := range map[string]func(*imv1.SendMessageRequest){
			"content":  func(r *imv1.SendMessageRequest) { r.Content = []byte("twice") },
			"type":     func(r *imv1.SendMessageRequest) { r.Type = imv1.MessageType_MESSAGE_TYPE_AUDIO },
			"metadata": func(r *imv1.SendMessageRequest) { r.Metadata["k"] = "x" },
		} {
			_, err := im.SendMessage(within(t), changed(change))
			refused(t, when+", other "+what, err, codes.Aborted, "MESSAGE_ID_CONFLICT")
		}
	}
	again("at once")
	n.Restart()
	again("after a restart")
	n.Kill()
	n.Boot()
	again("after a crash")

	// The id is the sender's own, in the room.
	if resp := send(changed(func(r *imv1.SendMessageRequest) { r.UserId = "bob" })); resp.GetSeq() != 2 {
		t.Errorf("another sender's message under the same id: %v", resp)
	}
	if resp := send(changed(func(r *imv1.SendMessageRequest) { r.RoomId = "other" })); resp.GetSeq() != 1 {
		t.Errorf("in another room under the same id: %v", resp)
	}
	// Without an id every message is another one.
	if a, b := say(t, im, "room", "alice", "same"), say(t, im, "room", "alice", "same"); a.GetSeq() == b.GetSeq() {
		t.Errorf("two messages without ids both have seq %d", a.GetSeq())
	}
	reader.Ended() // with the first node
	reader = n.Connect(Hello{User: "reader", Room: "room", Device: "second"})
	if got := reader.Flush(); len(got) != 0 {
		t.Errorf("a new device got %d old messages", len(got))
	}
	if head := info(t, im, "room", "reader").GetRoomInfo().GetMessageCount(); head != 4 {
		t.Errorf("the room has %d messages, want 4", head)
	}
}

// TestA2IdempotentAtOnce sends one message many times at the same time.
func TestA2IdempotentAtOnce(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice")
	for round := range 20 {
		const copies = 16
		var answers [copies]*imv1.SendMessageResponse
		var wg sync.WaitGroup
		for i := range copies {
			wg.Go(func() {
				var err error
				answers[i], err = im.SendMessage(t.Context(), &imv1.SendMessageRequest{
					UserId: "alice", RoomId: "room", Type: text, Content: []byte("x"), MessageId: fmt.Sprint(round),
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, a := range answers {
			if a.GetSeq() != int64(round+1) || a.GetMessageId() != answers[0].GetMessageId() {
				t.Errorf("round %d: %v, another copy %v", round, a, answers[0])
			}
		}
	}
}

// TestA2ConflictOnAStream is answered there, and harms nothing.
func TestA2ConflictOnAStream(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	alice := n.Connect(Hello{User: "alice", Room: "room"}) // names no capability: hears of refusals only
	alice.Say("", "1", "first")
	alice.Say("", "1", "second")
	alice.Say("", "2", "third")
	f := alice.Next()
	if ack := f.Ack(t); ack.GetSuccess() || ack.GetOriginalMessageId() != "1" || ack.GetErrorMessage() == "" ||
		f.GetMetadata()["reason"] != "MESSAGE_ID_CONFLICT" {
		t.Errorf("answer %v, %v", f, ack)
	}
	n.eventually("two messages are stored", func() bool {
		return info(t, n.Calls(), "room", "alice").GetRoomInfo().GetMessageCount() == 2
	})
	if rest := alice.Flush(); len(rest) > 0 {
		t.Errorf("a client without capabilities got %v", rest)
	}
}
