package client

import (
	"errors"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func TestStats(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.HeartbeatInterval = 500 * time.Millisecond
	c, ps := p.connect(t, cfg)
	for _, answer := range []func(*imv1.MessageRequest) *imv1.MessageResponse{
		func(req *imv1.MessageRequest) *imv1.MessageResponse { return ackOf(req, 1, 0) },
		func(req *imv1.MessageRequest) *imv1.MessageResponse { return refusalOf(req, "MUTED", "no") },
	} {
		out := sendText(t.Context(), c, "a", "four")
		ps.send(t, answer(ps.recvSkippingAcks(t)))
		wait(t, out, "Send")
	}
	ps.send(t, text("a", 1, 1), text("a", 2, 2), text("a", 2, 3), text("a", 2, 3))
	ev.next(t)
	ev.next(t)
	for ps.recvAck(t) != 3 {
		continue
	}
	ps.end(errLost)
	ps = p.next(t).accept(t, "s1", true)
	wait(t, ev.connects, "OnConnect")
	for { // until a heartbeat
		if req := wait(t, ps.in, "a heartbeat"); req.GetType() == imv1.MessageType_MESSAGE_TYPE_HEARTBEAT {
			break
		}
	}
	ps.send(t, &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT})
	eventually(t, func() bool { return c.Stats().HeartbeatRTT > 0 })
	got := c.Stats()
	if got.HeartbeatRTT > patience {
		t.Errorf("a heartbeat took %v", got.HeartbeatRTT)
	}
	if got.Acks == 0 {
		t.Error("no acknowledgement is counted")
	}
	got.HeartbeatRTT, got.Acks = 0, 0
	want := Stats{
		Connects: 2, Reconnects: 1, Resumed: 1,
		Sent: 1, SentBytes: 4, Refused: 1,
		Received: 2, ReceivedBytes: 4, Duplicates: 2,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What Validate refuses does not reach OnMessage, is acknowledged, counted and reported.
func TestValidate(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	forged := errors.New("forged")
	cfg.Validate = func(m *imv1.MessageResponse) error {
		if m.GetSeq() == 2 {
			return forged
		}
		return nil
	}
	c, ps := p.connect(t, cfg)
	ps.send(t, text("a", 1, 1), text("a", 2, 2), text("a", 2, 3), text("a", 3, 4))
	for _, want := range []string{"m1", "m3"} {
		if got := ev.next(t); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	err := wait(t, ev.errors, "OnError")
	if invalid, ok := errors.AsType[*InvalidMessageError](err); !ok || invalid.Message.GetSeq() != 2 || !errors.Is(err, forged) {
		t.Errorf("OnError(%v)", err)
	}
	for ps.recvAck(t) != 4 {
		continue
	}
	if s := c.Stats(); s.Invalid != 1 || s.Received != 2 || s.Duplicates != 1 || len(ev.errors) > 0 {
		t.Errorf("stats %+v, %d more errors", s, len(ev.errors))
	}
}
