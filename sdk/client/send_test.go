package client

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type sent struct {
	result *SendResult
	err    error
}

// sendText sends in the background.
func sendText(ctx context.Context, c *Client, room, content string) <-chan sent {
	out := make(chan sent, 1)
	go func() {
		r, err := c.Send(ctx, &imv1.MessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(content)})
		out <- sent{r, err}
	}()
	return out
}

func TestSendReturnsTheOutcome(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)

	out := sendText(t.Context(), c, "a", "hello")
	req := ps.recv(t)
	if req.GetUserId() != "alice" || req.GetRoomId() != "a" || string(req.GetContent()) != "hello" ||
		req.GetType() != imv1.MessageType_MESSAGE_TYPE_TEXT || len(req.GetMessageId()) != 36 || req.GetMessageId()[14] != '7' {
		t.Errorf("sent %v", req)
	}
	ps.send(t, ackOf(req, 7, 1))
	got := wait(t, out, "Send")
	want := SendResult{MessageID: "server-" + req.GetMessageId(), ClientMessageID: req.GetMessageId(), RoomID: "a", Seq: 7, Time: time.Unix(1700000000, 0).UTC()}
	if got.err != nil || *got.result != want {
		t.Errorf("Send: %+v, %v", got.result, got.err)
	}

	out = sendText(t.Context(), c, "a", "hello?")
	ps.send(t, refusalOf(ps.recvSkippingAcks(t), "NOT_A_MEMBER", "join first"))
	got = wait(t, out, "Send")
	refused, ok := errors.AsType[*RefusedError](got.err)
	if !ok || got.result != nil || refused.Reason != "NOT_A_MEMBER" || refused.Message != "join first" || refused.RoomID != "a" {
		t.Errorf("Send: %+v, %v", got.result, got.err)
	}
	if len(ev.errors) > 0 {
		t.Error("a refusal that Send returned was reported as well")
	}
}

func (ps *peerStream) recvSkippingAcks(t *testing.T) *imv1.MessageRequest {
	t.Helper()
	for {
		if req := ps.recv(t); req.GetType() != imv1.MessageType_MESSAGE_TYPE_ACK {
			return req
		}
	}
}

func TestSendKeepsWhatIsGiven(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	cfg.DefaultRoomID = "lobby"
	c, ps := p.connect(t, cfg)
	given := &imv1.MessageRequest{MessageId: "mine", UserId: "other", Type: imv1.MessageType_MESSAGE_TYPE_RICH_TEXT,
		Content: []byte("{}"), Metadata: map[string]string{"format": "markdown"}}
	out := make(chan error, 1)
	go func() { out <- c.SendMessage(given) }()
	req := ps.recv(t)
	if req.GetMessageId() != "mine" || req.GetUserId() != "other" || req.GetRoomId() != "lobby" || req.GetMetadata()["format"] != "markdown" {
		t.Errorf("sent %v", req)
	}
	if given.GetRoomId() != "" {
		t.Error("the caller's message was changed")
	}
	if err := c.SendMessage(given); !errors.Is(err, ErrDuplicateID) {
		t.Errorf("the same id at the same time: %v", err)
	}
	ps.send(t, ackOf(req, 1, 0))
	if err := wait(t, out, "SendMessage"); err != nil {
		t.Errorf("SendMessage: %v", err)
	}
}

func TestSendRefusesWhatWouldEndTheStream(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	if err := c.SendMessage(&imv1.MessageRequest{RoomId: "\xff"}); err == nil || !strings.Contains(err.Error(), "encoded") {
		t.Errorf("invalid UTF-8: %v", err)
	}
	if err := c.SendMessage(&imv1.MessageRequest{Content: bytes.Repeat([]byte{1}, maxRequestBytes)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	out := sendText(t.Context(), c, "a", "still here")
	ps.send(t, ackOf(ps.recv(t), 1, 0))
	if got := wait(t, out, "Send"); got.err != nil {
		t.Errorf("Send: %v", got.err)
	}
}

func TestSendGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	cfg.RequestTimeout = 50 * time.Millisecond
	c, ps := p.connect(t, cfg)
	if err := c.SendTextMessage("a", "unanswered"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("SendTextMessage: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := sendText(ctx, c, "a", "canceled")
	ps.recv(t)
	cancel()
	if got := wait(t, out, "Send"); !errors.Is(got.err, context.Canceled) && !errors.Is(got.err, context.DeadlineExceeded) {
		t.Errorf("Send: %v", got.err)
	}
	if c.sends.any() {
		t.Error("abandoned sends are kept")
	}
}

func TestUnansweredTypes(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	if err := c.SendMessage(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_ACK, MessageId: "x"}); err != nil {
		t.Errorf("ACK: %v", err)
	}
	if req := ps.recv(t); req.GetMessageId() != "x" {
		t.Errorf("sent %v", req)
	}
}

func TestServerWithoutExtensions(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	ps := p.next(t).header(t)
	if err := wait(t, connected, "Connect"); err != nil {
		t.Fatal(err)
	}
	if err := c.SendTextMessage("a", "into the blue"); err != nil {
		t.Errorf("SendTextMessage: %v", err)
	}
	ps.send(t, text("a", 0, 0), text("a", 0, 0))
	ev.next(t)
	ev.next(t)
	p.disconnect(t, c)
}

func TestPendingSendsAreRepeated(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	one := sendText(t.Context(), c, "a", "one")
	first := ps.recv(t)
	two := sendText(t.Context(), c, "a", "two")
	second := ps.recv(t)
	ps.end(errLost)
	wait(t, ev.disconnects, "OnDisconnect")
	three := sendText(t.Context(), c, "a", "three") // between two connections
	ps = p.next(t)
	ps.accept(t, "s1", true)
	if got := ps.recv(t); got.GetMessageId() != first.GetMessageId() || string(got.GetContent()) != "one" {
		t.Errorf("first repeated: %v", got)
	}
	if got := ps.recv(t); got.GetMessageId() != second.GetMessageId() {
		t.Errorf("second repeated: %v", got)
	}
	third := ps.recv(t)
	ps.send(t, ackOf(first, 1, 1), ackOf(second, 2, 2), ackOf(first, 1, 3), ackOf(third, 3, 4))
	for i, out := range []<-chan sent{one, two, three} {
		if got := wait(t, out, "Send"); got.err != nil || got.result.Seq != int64(i+1) {
			t.Errorf("send %d: %+v, %v", i+1, got.result, got.err)
		}
	}
	select {
	case req := <-ps.in:
		if answered(req.GetType()) {
			t.Errorf("sent once too often: %v", req)
		}
	default:
	}
}

func TestOversizedSendIsNotRepeated(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	out := sendText(t.Context(), c, "a", "larger than the server allows")
	ps.recv(t)
	ps.end(status.Error(codes.ResourceExhausted, "message larger than max"))
	if got := wait(t, out, "Send"); status.Code(got.err) != codes.ResourceExhausted {
		t.Errorf("Send: %v", got.err)
	}
	wait(t, ev.disconnects, "OnDisconnect")
	p.next(t).accept(t, "s1", true)
}

func TestDisconnectFailsPendingSends(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	out := sendText(t.Context(), c, "a", "x")
	ps.recv(t)
	p.disconnect(t, c)
	if got := wait(t, out, "Send"); !errors.Is(got.err, ErrDisconnected) {
		t.Errorf("Send: %v", got.err)
	}
}
