package client

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestResumeContinuesTheSession(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	hold := make(chan struct{})
	cfg.OnMessage = func(m *imv1.MessageResponse) {
		ev.messages <- m
		if m.GetSeq() == 2 {
			<-hold // 2 and 3 are received but not handled when the connection is lost
		}
	}
	c, ps := p.connect(t, cfg)
	ps.send(t, text("a", 1, 1), text("a", 2, 2), text("a", 3, 3))
	ev.next(t)
	ev.next(t)
	eventually(t, func() bool { return countsOf(c).received == 3 })
	ps.end(errLost)

	ps = p.next(t)
	if first(ps.md, keySessionID) != "s1" || first(ps.md, keyResumeTicket) != "ticket-of-s1" || first(ps.md, keyLastLinkSeq) != "1" {
		t.Errorf("resume with %v", ps.md)
	}
	ps.accept(t, "s1", true)
	ps.send(t, text("a", 2, 2), &imv1.MessageResponse{LinkSeq: 3, Batch: []*imv1.MessageResponse{text("a", 3, 0), text("a", 4, 0)}})
	close(hold)
	for _, want := range []string{"m3", "m4"} {
		if got := ev.next(t); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for link := uint64(0); link != 4; {
		link = ps.recvAck(t)
	}
	ev.none(t)
	if err := wait(t, ev.disconnects, "OnDisconnect"); status.Code(err) != codes.Unknown {
		t.Errorf("OnDisconnect(%v), want the stream's error", err)
	}
	if err := wait(t, ev.errors, "OnError"); status.Code(err) != codes.Unknown {
		t.Errorf("OnError(%v), want the stream's error", err)
	}
	wait(t, ev.connects, "OnConnect")
	wait(t, ev.connects, "OnConnect again")
}

type counts struct{ received, handled uint64 }

func countsOf(c *Client) counts {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return counts{c.session.received, c.session.handled}
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
	}
}

func TestNewSessionStartsOver(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	_, ps := p.connect(t, cfg)
	ps.send(t, text("a", 1, 1), text("a", 2, 2))
	ev.next(t)
	ev.next(t)
	ps.end(errLost)
	ps = p.next(t).accept(t, "s2", false)
	ps.send(t, text("a", 2, 1), text("a", 3, 2)) // 2 comes again, under new numbers
	if got := ev.next(t); got != "m3" {
		t.Errorf("got %s, want m3", got)
	}
	for link := uint64(0); link != 2; {
		link = ps.recvAck(t)
	}
	ps.end(errLost)
	if ps = p.next(t); first(ps.md, keySessionID) != "s2" || first(ps.md, keyLastLinkSeq) != "2" {
		t.Errorf("resume with %v", ps.md)
	}
}

func TestDisconnectCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(*peerStream)
		back bool
	}{
		{"3xxx", func(ps *peerStream) {
			ps.end(status.Error(codes.Canceled, "x"), keyDisconnectCode, "3001", keyDisconnectReason, "shutdown")
		}, true},
		{"4xxx", func(ps *peerStream) {
			ps.end(status.Error(codes.Canceled, "x"), keyDisconnectCode, "4001", keyDisconnectReason, "kicked")
		}, false},
		{"4xxx of an overloaded server", func(ps *peerStream) {
			ps.end(status.Error(codes.Unavailable, "x"), keyDisconnectCode, "4003", keyDisconnectReason, "ended")
		}, true},
		{"permission denied", func(ps *peerStream) { ps.end(status.Error(codes.PermissionDenied, "x")) }, false},
		{"unavailable", func(ps *peerStream) { ps.end(status.Error(codes.Unavailable, "x")) }, true},
		{"clean end", func(ps *peerStream) { ps.end(nil) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			cfg, ev := p.config()
			c, ps := p.connect(t, cfg)
			out := sendText(t.Context(), c, "a", "x")
			ps.recv(t)
			tt.end(ps)
			cause := wait(t, ev.disconnects, "OnDisconnect")
			if reported := wait(t, ev.errors, "OnError"); reported != cause {
				t.Errorf("OnError(%v), OnDisconnect(%v)", reported, cause)
			}
			if tt.back {
				p.next(t).accept(t, "s1", true)
				return
			}
			if got := wait(t, out, "Send"); got.err != cause {
				t.Errorf("Send: %v, want %v", got.err, cause)
			}
			if err := c.SendTextMessage("a", "y"); !errors.Is(err, ErrNotConnected) {
				t.Errorf("send after the end: %v", err)
			}
			if err := wait(t, ev.errors, "giving up"); !errors.Is(err, ErrGaveUp) || !errors.Is(err, cause) {
				t.Errorf("OnError(%v)", err)
			}
			if c.alive() || len(p.streams) > 0 {
				t.Error("the client comes back")
			}
		})
	}
}

func TestGivingUp(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.MaxRetries = 2
	var attempts atomic.Int64
	cfg.Backoff = func(attempt int) time.Duration {
		if n := attempts.Add(1); int(n) != attempt {
			t.Errorf("attempt %d is called %d", n, attempt)
		}
		return 0
	}
	c, ps := p.connect(t, cfg)
	ps.end(errLost)
	for range 2 {
		p.next(t).end(status.Error(codes.Unavailable, "not yet"))
	}
	wait(t, ev.errors, "the loss")
	wait(t, ev.errors, "the first attempt")
	wait(t, ev.errors, "the second attempt")
	if err := wait(t, ev.errors, "giving up"); status.Code(err) != codes.Unavailable || !errors.Is(err, ErrGaveUp) {
		t.Errorf("OnError(%v)", err)
	}
	if c.alive() || len(ev.disconnects) != 1 {
		t.Errorf("alive %v, %d times OnDisconnect", c.alive(), len(ev.disconnects))
	}
	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	p.next(t).accept(t, "s1", true)
	if err := wait(t, connected, "Connect"); err != nil {
		t.Errorf("Connect after giving up: %v", err)
	}
}

func TestDisconnectWhileReconnecting(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"waiting": time.Hour, "dialling": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			cfg, ev := p.config()
			cfg.Backoff = func(int) time.Duration { return wait }
			c, ps := p.connect(t, cfg)
			ps.end(errLost)
			<-ev.disconnects
			if wait == 0 {
				p.next(t)
			}
			if c.IsConnected() {
				t.Error("connected without a connection")
			}
			p.disconnect(t, c)
			if c.alive() || len(ev.disconnects) > 0 {
				t.Error("not disconnected, or twice")
			}
		})
	}
}

// Every method is called from every callback; each must return.
func TestCallbacksMayCallTheClient(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	var c *Client
	done := make(chan string, 64)
	use := func(from string) {
		c.IsConnected()
		_, _ = c.JoinRoom("a", nil)
		_, _ = c.GetRoomInfo("a")
		_, _ = c.LeaveRoom("a")
		c.SetServices(cfg.Services)
		_ = c.Connect()
		done <- from
	}
	cfg.OnConnect = func() { use("OnConnect") }
	cfg.OnMessage = func(*imv1.MessageResponse) {
		if err := c.SendTextMessage("a", "reply"); err != nil {
			t.Errorf("send in OnMessage: %v", err)
		}
		use("OnMessage")
	}
	cfg.OnError = func(error) { use("OnError") }
	cfg.OnDisconnect = func(err error) {
		if errors.Is(err, ErrDisconnected) {
			_ = c.Disconnect()
			ev.disconnects <- err
			return
		}
		use("OnDisconnect")
	}
	expect := func(want string) {
		t.Helper()
		if got := wait(t, done, want); got != want {
			t.Errorf("%s ran, want %s", got, want)
		}
	}
	var err error
	if c, err = NewClient(cfg); err != nil {
		t.Fatal(err)
	}
	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	ps := p.next(t).accept(t, "s1", false)
	wait(t, connected, "Connect")
	expect("OnConnect")
	ps.send(t, text("a", 1, 1))
	ps.send(t, ackOf(ps.recv(t), 2, 2))
	expect("OnMessage")
	ps.end(errLost)
	ps = p.next(t).accept(t, "s1", true)
	expect("OnError")
	expect("OnDisconnect")
	expect("OnConnect")
	ps.end(nil, keyDisconnectCode, "4000", keyDisconnectReason, "kicked")
	p.next(t).accept(t, "s2", false) // it is OnError that connects again
	expect("OnError")
	expect("OnDisconnect")
	expect("OnError") // ErrGaveUp: what came first had it come back
	expect("OnConnect")
	p.disconnect(t, c)
	wait(t, ev.disconnects, "OnDisconnect")
}

func TestDisconnectInOnMessage(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	var c *Client
	cfg.OnMessage = func(m *imv1.MessageResponse) {
		_ = c.Disconnect()
		ev.messages <- m
	}
	c, ps := p.connect(t, cfg)
	ps.send(t, &imv1.MessageResponse{LinkSeq: 1, Batch: []*imv1.MessageResponse{text("a", 1, 0), text("a", 2, 0)}})
	if got := ev.next(t); got != "m1" {
		t.Errorf("got %s", got)
	}
	if err := wait(t, ev.disconnects, "OnDisconnect"); err != ErrDisconnected {
		t.Errorf("OnDisconnect(%v)", err)
	}
	<-ps.closed
	if ps.recvErr != io.EOF {
		t.Errorf("the server saw %v", ps.recvErr)
	}
	c.queue.wait()
	ev.none(t)
}

func TestSilenceEndsTheConnection(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.HeartbeatInterval = 20 * time.Millisecond
	_, ps := p.connect(t, cfg)
	req := wait(t, ps.in, "a heartbeat")
	if req.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT || string(req.GetContent()) != "ping" || req.GetUserId() != "alice" {
		t.Errorf("heartbeat %v", req)
	}
	if err := wait(t, ev.disconnects, "OnDisconnect"); err != errSilent {
		t.Errorf("OnDisconnect(%v)", err)
	}
	p.next(t).accept(t, "s1", true)
}

func TestHeartbeatsKeepTheConnectionAndRefreshTheToken(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.HeartbeatInterval = 500 * time.Millisecond // an answer that is later on a busy machine would be silence
	var n atomic.Int64
	cfg.TokenSource = func(context.Context) (string, error) { return strconv.FormatInt(n.Add(1), 10), nil }
	_, ps := p.connect(t, cfg)
	if got := first(ps.md, keyAuthorization); got != "Bearer 1" {
		t.Errorf("opened with %q", got)
	}
	for i := range 3 {
		req := wait(t, ps.in, "a heartbeat")
		if want := "Bearer " + strconv.Itoa(i+2); req.GetMetadata()[keyAuthorization] != want {
			t.Errorf("heartbeat %d has %v, want %s", i, req.GetMetadata(), want)
		}
		ps.send(t, &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT})
	}
	if len(ev.disconnects) > 0 {
		t.Error("the connection was given up")
	}
}

// A source of tokens that does not answer costs the token, and not the connection, whose own token may be good for long.
func TestHeartbeatsGoOnWithoutAToken(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.HeartbeatInterval = 500 * time.Millisecond
	var asked atomic.Int64
	cfg.TokenSource = func(ctx context.Context) (string, error) {
		if asked.Add(1) == 1 {
			return "good for a day", nil
		}
		<-ctx.Done()
		return "", ctx.Err()
	}
	_, ps := p.connect(t, cfg)
	for range 3 {
		req := wait(t, ps.in, "a heartbeat")
		if token, has := req.GetMetadata()[keyAuthorization]; has {
			t.Errorf("a heartbeat with the token %q", token)
		}
		ps.send(t, &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT})
		if err := wait(t, ev.errors, "OnError"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("OnError(%v)", err)
		}
	}
	if len(ev.disconnects) > 0 {
		t.Error("the connection was given up")
	}
}

func TestHeartbeatInterval(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"": 30 * time.Second, "10": 10 * time.Second, "60": 30 * time.Second, "0": 30 * time.Second, "x": 30 * time.Second} {
		if got := heartbeatInterval(30*time.Second, header); got != want {
			t.Errorf("heartbeat-seconds %q: %v, want %v", header, got, want)
		}
	}
}

func TestFullJitter(t *testing.T) {
	t.Parallel()
	backoff := fullJitter(time.Second)
	for attempt, limit := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 7: time.Minute, 1000: time.Minute} {
		var longest time.Duration
		for range 1000 {
			d := backoff(attempt)
			if d < 0 || d > limit {
				t.Fatalf("attempt %d waits %v, at most %v are allowed", attempt, d, limit)
			}
			longest = max(longest, d)
		}
		if longest < limit/2 {
			t.Errorf("attempt %d never waits longer than %v", attempt, longest)
		}
	}
}
