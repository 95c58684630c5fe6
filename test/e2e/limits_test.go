package e2e

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestSendsPerSecond: who sends too fast is told for each message, and others are not concerned.
func TestSendsPerSecond(t *testing.T) {
	t.Parallel()
	n := Start(t, "session:\n  sends_per_second: 1\n  send_burst: 5\n")
	fast := n.Connect(Hello{User: "fast", Room: "room", Capabilities: "ack"})
	calm := n.Connect(Hello{User: "calm", Room: "room", Capabilities: "ack"})
	fast.Flush()
	const count = 100
	for i := range count {
		fast.Say("", fmt.Sprint(i), "x")
	}
	calm.Say("", "calm", "x")
	accepted, limited := 0, 0
	for range count {
		f := fast.Until("an answer", func(f Frame) bool { return f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK })
		switch ack := f.Ack(t); {
		case ack.GetSuccess():
			accepted++
		case f.GetMetadata()["reason"] == "RATE_LIMITED" && ack.GetErrorMessage() != "" && ack.GetOriginalMessageId() != "":
			limited++
		default:
			t.Errorf("answer %v %v", f, ack)
		}
	}
	if accepted < 5 || limited == 0 {
		t.Errorf("%d accepted, %d limited", accepted, limited)
	}
	f := calm.Until("an answer", func(f Frame) bool { return f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK })
	if !f.Ack(t).GetSuccess() {
		t.Errorf("another session: %v", f.Ack(t))
	}
	if got := info(t, n.Calls(), "room", "calm").GetRoomInfo().GetMessageCount(); got != int64(accepted+1) {
		t.Errorf("%d messages stored, %d acknowledged", got, accepted+1)
	}
	if got := n.Metric("hermod_im_refusals_total", `reason="RATE_LIMITED"`); got != float64(limited) {
		t.Errorf("%g refusals counted, %d made", got, limited)
	}
}

// TestRoomLimits: rooms of a user, users of a room, and what a room accepts.
func TestRoomLimits(t *testing.T) {
	t.Parallel()
	n := Start(t, `
room:
  max_per_user: 3
  defaults:
    max_users: 2
    allow_audio: false
    allow_rich_text: false
`)
	im := n.Calls()
	join(t, im, "a", "alice", "bob")
	_, err := im.JoinRoom(within(t), &imv1.JoinRoomRequest{UserId: "carol", RoomId: "a"})
	refused(t, "a third user", err, codes.ResourceExhausted, "ROOM_FULL")
	refused(t, "a third user's stream", n.Begin(Hello{User: "carol", Room: "a"}).Ended(), codes.ResourceExhausted, "ROOM_FULL")
	join(t, im, "a", "bob") // is in it already

	join(t, im, "b", "alice")
	join(t, im, "c", "alice")
	_, err = im.JoinRoom(within(t), &imv1.JoinRoomRequest{UserId: "alice", RoomId: "d"})
	refused(t, "a fourth room", err, codes.ResourceExhausted, "TOO_MANY_ROOMS")
	if _, err := im.LeaveRoom(within(t), &imv1.LeaveRoomRequest{UserId: "alice", RoomId: "a"}); err != nil {
		t.Fatal(err)
	}
	join(t, im, "d", "alice")
	join(t, im, "a", "carol")

	for kind, reason := range map[imv1.MessageType]string{
		imv1.MessageType_MESSAGE_TYPE_AUDIO:     "AUDIO_NOT_ALLOWED",
		imv1.MessageType_MESSAGE_TYPE_RICH_TEXT: "RICH_TEXT_NOT_ALLOWED",
	} {
		_, err := im.SendMessage(within(t), &imv1.SendMessageRequest{UserId: "bob", RoomId: "a", Type: kind})
		refused(t, kind.String(), err, codes.PermissionDenied, reason)
	}
	say(t, im, "a", "bob", "text is fine")
	if c := info(t, im, "a", "bob").GetRoomInfo().GetConfig(); c.GetMaxUsers() != 2 || c.GetAllowAudio() || c.GetAllowRichText() {
		t.Errorf("config %v", c)
	}
}

// TestLargestMessages: messages of the largest size that is allowed, in a room where everybody reads
// and sends at once, make nobody slow.
func TestLargestMessages(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice")
	senders := make([]*busySender, 4)
	for i := range senders {
		user := fmt.Sprint("sender ", i)
		senders[i] = &busySender{
			Stream: n.Connect(Hello{User: user, Room: "room", Capabilities: []string{"ack", "ack,resume"}[i%2]}),
			user:   user, count: 200, window: 4, acked: map[string]int64{},
		}
	}
	var wg sync.WaitGroup
	for _, s := range senders {
		wg.Go(func() {
			if err := s.run(within(t), "room"); err != nil {
				t.Error(err)
			}
		})
	}
	for range 10 {
		say(t, im, "room", "alice", string(make([]byte, 1<<20)))
	}
	wg.Wait()
	if slow := n.Metric("hermod_session_disconnects_total", `code="3001"`); slow > 0 {
		t.Errorf("%g sessions were closed as slow", slow)
	}
}
