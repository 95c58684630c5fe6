package client

import (
	"strconv"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// withTwoWaiting connects a client that has three messages, the first of which OnMessage holds until hold is closed.
func (p *peer) withTwoWaiting(t *testing.T, cfg *Config, ev *events) (c *Client, ps *peerStream, hold chan struct{}) {
	t.Helper()
	hold = make(chan struct{})
	cfg.OnMessage = func(m *imv1.MessageResponse) {
		ev.messages <- m
		if m.GetSeq() == 1 {
			<-hold
		}
	}
	c, ps = p.connect(t, cfg)
	ps.send(t, text("a", 1, 1), text("a", 2, 2), text("a", 3, 3))
	ev.next(t)
	eventually(t, func() bool { return countsOf(c).received == 3 })
	return c, ps, hold
}

// TestDisconnectWhileReconnectingLosesNothing: what waited for OnMessage comes again with the next session, also if there was no
// connection that could have been ended in peace.
func TestDisconnectWhileReconnectingLosesNothing(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.Backoff = func(int) time.Duration { return time.Hour }
	c, ps, hold := p.withTwoWaiting(t, cfg, ev)
	ps.end(errLost)
	eventually(t, func() bool { return !c.IsConnected() })
	p.disconnect(t, c)
	close(hold)

	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	ps = p.next(t)
	if first(ps.md, keySessionID) == "s1" { // the server goes on behind what the client says it has
		ps.accept(t, "s1", true)
		last, err := strconv.ParseInt(first(ps.md, keyLastLinkSeq), 10, 64)
		for n := last + 1; err == nil && n <= 4; n++ {
			ps.send(t, text("a", n, uint64(n)))
		}
	} else { // or begins behind what was acknowledged
		ps.accept(t, "s2", false)
		for n := range int64(4) {
			ps.send(t, text("a", n+1, uint64(n+1)))
		}
	}
	if err := wait(t, connected, "Connect"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"m2", "m3", "m4"} {
		if got := ev.next(t); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// TestWhatComesBehindDroppedMessagesIsNotAcknowledged: an acknowledgement is good for all that came before.
func TestWhatComesBehindDroppedMessagesIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps, hold := p.withTwoWaiting(t, cfg, ev)

	c.close() // Disconnect begins
	ps.send(t, &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, LinkSeq: 4})
	eventually(t, func() bool { return countsOf(c).received == 4 })
	close(hold)
	eventually(t, func() bool { return c.queue.length() == 0 && countsOf(c).handled >= 1 })
	p.disconnect(t, c)
	ev.none(t)
	for len(ps.in) > 0 {
		if link := ps.recvAck(t); link != 1 {
			t.Errorf("acknowledged up to %d although 2 and 3 were dropped", link)
		}
	}
}
