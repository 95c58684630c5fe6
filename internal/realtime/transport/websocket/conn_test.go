package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
	"github.com/game-im/hermod/internal/realtime/transport/websocket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text bool
		as   func(transporttest.Handler) transporttest.Handler
	}{
		"text false": {false, asIs}, "text true": {true, asIs},
		"rests": {false, restful},
	} {
		text := test.text
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			malformed := map[string]func(transporttest.Peer) error{}
			for name, breach := range breaches {
				if text && name == "the other kind of message" {
					continue
				}
				malformed[name] = func(p transporttest.Peer) error { return p.(*peer).raw(breach.bytes) }
			}
			transporttest.Run(t, transporttest.Transport{
				Serve: func(t *testing.T, handle transporttest.Handler) func(t *testing.T) transporttest.Peer {
					t.Helper()
					s := serve(t, options, text, test.as(handle))
					return func(t *testing.T) transporttest.Peer {
						t.Helper()
						return s.dial(t, text)
					}
				},
				MaxFrame:  maxMessage,
				DeadAfter: 2 * (options.PingAfter + options.PingTimeout),
				Malformed: malformed,
			})
		})
	}
}

// drain reads until the connection ends.
func drain(c transport.Conn) error {
	for {
		if _, err := c.Read(); err != nil {
			return nil
		}
	}
}

func end(t *testing.T, p *peer) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := p.Recv(); err != nil {
				done <- err
				return
			}
		}
	}()
	return transporttest.Await(t, done, "the end")
}

func TestBreachesHaveTheirStatus(t *testing.T) {
	t.Parallel()
	s := serve(t, options, false, drain)
	for name, breach := range breaches {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := s.dial(t, false)
			if err := p.raw(breach.bytes); err != nil {
				t.Fatal(err)
			}
			var why transport.Disconnect
			if err := end(t, p); !errors.As(err, &why) || ws.StatusCode(why.Code) != breach.status || why.Reason == "" {
				t.Errorf("closed with %v, want status %d and a reason", err, breach.status)
			}
		})
	}
}

func TestFragmentsWithPingsBetween(t *testing.T) {
	t.Parallel()
	s := serve(t, options, false, func(c transport.Conn) error {
		data, err := c.Read()
		if err != nil {
			return err
		}
		return errors.Join(c.Write(transporttest.Frames(t, 0, string(data))), drain(c))
	})
	p := s.dial(t, false)
	parts := []string{"frag", "", strings.Repeat("m", 1000), "ent"}
	for i, part := range parts {
		op := ws.OpContinuation
		if i == 0 {
			op = ws.OpBinary
		}
		if err := errors.Join(p.raw(masked(op, i == len(parts)-1, part)), p.raw(masked(ws.OpPing, true, fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	var pongs, message string
	for message == "" || !strings.HasSuffix(pongs, "3") {
		f, err := readFrame(p.in)
		if err != nil {
			t.Fatal(err)
		}
		switch f.Header.OpCode {
		case ws.OpPong:
			pongs += string(f.Payload)
		case ws.OpBinary:
			message = string(f.Payload)
		}
	}
	if message != strings.Join(parts, "") {
		t.Errorf("got %.40q", message)
	}
}

// TestPingsAreNoBurden sends pings and reads nothing: that must neither block the reader nor cost memory.
func TestPingsAreNoBurden(t *testing.T) {
	t.Parallel()
	read := make(chan string, 1)
	s := serve(t, options, false, func(c transport.Conn) error {
		go func() { _ = c.Write(transporttest.Frames(t, 0, strings.Repeat("x", 50<<20))) }() // ends with the connection
		data, err := c.Read()
		read <- string(data)
		return errors.Join(err, drain(c))
	})
	p := s.dial(t, false)
	for range 20_000 {
		if err := p.raw(masked(ws.OpPing, true, "are you there?")); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Send("after the pings"); err != nil {
		t.Fatal(err)
	}
	if got := transporttest.Await(t, read, "the message behind the pings"); got != "after the pings" {
		t.Errorf("read %q", got)
	}
	p.Cut()
}

func TestALeftPageIsALostConnection(t *testing.T) {
	t.Parallel()
	for status, clean := range map[ws.StatusCode]bool{0: true, 1000: true, 1001: false, 3000: false, 4999: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			read := make(chan error, 1)
			s := serve(t, options, false, func(c transport.Conn) error {
				_, err := c.Read()
				_, again := c.Read()
				if !errors.Is(again, err) {
					t.Errorf("Read returned %v and then %v", err, again)
				}
				read <- err
				return nil
			})
			p := s.dial(t, false)
			var body []byte
			if status > 0 {
				body = ws.NewCloseFrameBody(status, "bye")
			}
			if err := p.frame(ws.NewCloseFrame(body)); err != nil {
				t.Fatal(err)
			}
			if err := transporttest.Await(t, read, "the end"); errors.Is(err, io.EOF) != clean {
				t.Errorf("Read returned %v", err)
			}
			f, err := readFrame(p.in)
			if err != nil || f.Header.OpCode != ws.OpClose {
				t.Fatalf("%v, %v instead of a close frame", f.Header, err)
			}
			if got, _ := ws.ParseCloseFrameData(f.Payload); got != max(status, 1000) && status != 0 || status == 0 && got != 1000 {
				t.Errorf("the answer has status %d", got)
			}
		})
	}
}

func TestReasonsFitIntoACloseFrame(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 100)
	s := serve(t, options, false, func(c transport.Conn) error {
		c.Close(transport.Kicked.Because("%s", long))
		return nil
	})
	var why transport.Disconnect
	if err := end(t, s.dial(t, false)); !errors.As(err, &why) {
		t.Fatal(err)
	}
	if why.Reason != long[:122] {
		t.Errorf("the reason is %q of %d bytes", why.Reason, len(why.Reason))
	}
}

// TestAnotherLibrary speaks to a client that somebody else wrote.
func TestAnotherLibrary(t *testing.T) {
	t.Parallel()
	s := serve(t, options, false, func(c transport.Conn) error {
		for {
			data, err := c.Read()
			if err != nil {
				return nil
			}
			if string(data) == "kick me" {
				c.Close(transport.Kicked)
				return nil
			}
			if err := c.Write(transporttest.Frames(t, 0, string(data), string(data))); err != nil {
				return nil
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, _, err := coder.Dial(ctx, "ws://"+s.addr, &coder.DialOptions{CompressionMode: coder.CompressionContextTakeover}) //nolint:bodyclose // the library has closed it
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	for _, n := range []int{0, 1, 125, 126, 65_535, 65_536, maxMessage} {
		want := strings.Repeat("z", n)
		if err := c.Write(ctx, coder.MessageBinary, []byte(want)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if kind, got, err := c.Read(ctx); err != nil || kind != coder.MessageBinary || string(got) != want {
				t.Fatalf("%d bytes came back as %d, %v, %v", n, len(got), kind, err)
			}
		}
	}
	if err := c.Write(ctx, coder.MessageBinary, []byte("kick me")); err != nil {
		t.Fatal(err)
	}
	var closed coder.CloseError
	if _, _, err := c.Read(ctx); !errors.As(err, &closed) || closed.Code != 4001 || closed.Reason != transport.Kicked.Reason {
		t.Errorf("closed with %v", err)
	}
	c, _, err = coder.Dial(ctx, "ws://"+s.addr, nil) //nolint:bodyclose // the library has closed it
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(coder.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestStopWaitsForHandlers(t *testing.T) {
	t.Parallel()
	g := serve(t, options, false, drain)
	peers := []*peer{g.dial(t, false), g.dial(t, false)}
	for g.group.Len() < 2 {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error, 2)
	for _, p := range peers {
		go func() { _, err := p.Recv(); ended <- err }()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := g.group.Stop(ctx); err != nil || g.group.Len() != 0 {
		t.Errorf("%v, %d are left", err, g.group.Len())
	}
	for range peers {
		if err := transporttest.Await(t, ended, "the end"); !errors.Is(err, transport.Shutdown) {
			t.Errorf("the client was told %v", err)
		}
	}
	if _, _, err := coder.Dial(ctx, "ws://"+g.addr, nil); err == nil { //nolint:bodyclose // the library has closed it
		t.Error("a connection was let in")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := map[string]string{"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13"}
	for name, test := range map[string]struct {
		method string
		change [2]string
		says   string
	}{
		"good":             {"GET", [2]string{}, ""},
		"another method":   {"POST", [2]string{}, "GET"},
		"no upgrade":       {"GET", [2]string{"Upgrade", ""}, "Upgrade: websocket"},
		"no connection":    {"GET", [2]string{"Connection", "keep-alive"}, "Connection: Upgrade"},
		"another protocol": {"GET", [2]string{"Upgrade", "h2c"}, "WebSocket"},
		"another version":  {"GET", [2]string{"Sec-WebSocket-Version", "8"}, `"8"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), test.method, "/", nil)
			for k, v := range good {
				r.Header.Set(k, v)
			}
			if test.change[0] != "" {
				r.Header.Set(test.change[0], test.change[1])
			}
			err := websocket.Check(r)
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}
