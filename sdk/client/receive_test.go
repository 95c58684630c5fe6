package client

import (
	"errors"
	"strconv"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func TestMessagesArriveOnceAndInOrder(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	_, ps := p.connect(t, cfg)
	ps.send(t,
		text("a", 1, 1),
		&imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, LinkSeq: 2},
		&imv1.MessageResponse{LinkSeq: 3, Batch: []*imv1.MessageResponse{text("a", 2, 0), text("b", 1, 0), text("a", 2, 0)}},
		text("a", 1, 6),
		&imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: []byte("push"), LinkSeq: 7},
		&imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: []byte("push"), LinkSeq: 8},
		text("a", 4, 9), // 3 is one's own
	)
	for i, want := range []string{"m1", "m2", "m1", "push", "push", "m4"} {
		if got := ev.next(t); got != want {
			t.Errorf("message %d is %q, want %q", i, got, want)
		}
	}
	if link := ps.recvAck(t); link != 9 {
		for link != 9 { // a slow machine may have acknowledged in between
			link = ps.recvAck(t)
		}
	}
	ev.none(t)
}

func TestAcksAreGathered(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	_, ps := p.connect(t, cfg)
	var batch []*imv1.MessageResponse
	for i := range int64(200) {
		batch = append(batch, text("a", i+1, 0))
	}
	ps.send(t, &imv1.MessageResponse{LinkSeq: 1, Batch: batch})
	acks := 0
	for last := uint64(0); last < 200; acks++ {
		link := ps.recvAck(t)
		if link <= last {
			t.Errorf("ACK %d after %d", link, last)
		}
		last = link
	}
	if acks > 6 { // 64, 128, 192, 200, and what a very slow machine adds
		t.Errorf("%d ACKs for 200 frames", acks)
	}
}

func TestAckWaitsForOnMessage(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	entered, leave := make(chan struct{}), make(chan struct{})
	cfg.OnMessage = func(*imv1.MessageResponse) {
		entered <- struct{}{}
		<-leave
	}
	_, ps := p.connect(t, cfg)
	ps.send(t, text("a", 1, 1), text("a", 2, 2))
	wait(t, entered, "the first message")
	select {
	case req := <-ps.in:
		t.Errorf("%v while OnMessage runs", req)
	case <-time.After(2 * ackDelay):
	}
	leave <- struct{}{}
	wait(t, entered, "the second message")
	if link := ps.recvAck(t); link != 1 {
		t.Errorf("ACK %d, want 1", link)
	}
	leave <- struct{}{}
	if link := ps.recvAck(t); link != 2 {
		t.Errorf("ACK %d, want 2", link)
	}
}

func TestDisconnectAcknowledges(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	ps.send(t, text("a", 1, 1), text("a", 2, 2))
	ev.next(t)
	ev.next(t)
	eventually(t, func() bool { return countsOf(c).handled == 2 })
	p.disconnect(t, c)
	last := uint64(0)
	for len(ps.in) > 0 {
		last = ps.recvAck(t)
	}
	if last != 2 {
		t.Errorf("acknowledged up to %d before the end, want 2", last)
	}
}

func TestGapEndsTheConnection(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	_, ps := p.connect(t, cfg)
	ps.send(t, text("a", 1, 1), text("a", 3, 3))
	if err := wait(t, ev.disconnects, "OnDisconnect"); !errors.Is(err, errGap) {
		t.Errorf("OnDisconnect(%v)", err)
	}
	p.next(t).accept(t, "s1", true).send(t, text("a", 2, 2), text("a", 3, 3))
	for _, want := range []string{"m1", "m2", "m3"} {
		if got := ev.next(t); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestUnclaimedRefusalIsReported(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	_, ps := p.connect(t, cfg)
	ps.send(t, refusalOf(&imv1.MessageRequest{MessageId: "late", RoomId: "a"}, "MUTED", "you are muted"))
	err := wait(t, ev.errors, "OnError")
	if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.MessageID != "late" || Reason(err) != "MUTED" {
		t.Errorf("OnError(%v)", err)
	}
}

// OnMessage waits for the answer to a send while more is waiting for it than the client keeps.
func TestFullQueueLetsAnswersThrough(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	var c *Client
	entered, sent := make(chan struct{}), make(chan error, 1)
	proceed := make(chan struct{})
	cfg.OnMessage = func(m *imv1.MessageResponse) {
		if m.GetSeq() == 1 {
			close(entered)
			<-proceed
			sent <- c.SendTextMessage("a", "in reply")
		}
		ev.messages <- m
	}
	c, ps := p.connect(t, cfg)
	requests := make(chan *imv1.MessageRequest, 1)
	go func() {
		const n = maxQueued + 100
		for i := range int64(n) {
			if ps.stream.Send(text("a", i+1, uint64(i+1))) != nil {
				return
			}
		}
		_ = ps.stream.Send(ackOf(<-requests, n+1, n+1))
	}()
	wait(t, entered, "the first message")
	for !c.queue.full() {
		time.Sleep(time.Millisecond)
	}
	close(proceed)
	requests <- ps.recv(t)
	if err := wait(t, sent, "the send"); err != nil {
		t.Errorf("send in OnMessage: %v", err)
	}
	for i := range maxQueued + 100 {
		if want, got := "m"+strconv.Itoa(i+1), ev.next(t); got != want {
			t.Fatalf("message %s, want %s", got, want)
		}
	}
}
