package pluginconn_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/pluginconn"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
	"github.com/game-im/hermod/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// under is a plugin's connection whose methods are given; one that is not hangs until the test lets go.
type under struct {
	open  func(context.Context) (plugin.Opening, error)
	read  func(limit int) ([]byte, error)
	write func([][]byte) error
	close func(context.Context, plugin.Disconnect)
	let   chan struct{}

	mu     sync.Mutex
	panics []any
}

func newUnder(t *testing.T) *under {
	t.Helper()
	return &under{let: make(chan struct{})}
}

func (u *under) Open(ctx context.Context) (plugin.Opening, error) {
	if u.open != nil {
		return u.open(ctx)
	}
	<-u.let
	return plugin.Opening{}, io.ErrClosedPipe
}

func (u *under) Read(limit int) ([]byte, error) {
	if u.read != nil {
		return u.read(limit)
	}
	<-u.let
	return nil, io.ErrClosedPipe
}

func (u *under) Write(frames [][]byte) error {
	if u.write != nil {
		return u.write(frames)
	}
	<-u.let
	return io.ErrClosedPipe
}

func (u *under) Close(ctx context.Context, why plugin.Disconnect) {
	if u.close != nil {
		u.close(ctx, why)
		return
	}
	<-u.let
}

func (u *under) Remote() string { return "192.0.2.1:7" }

func (u *under) Panicked(v any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.panics = append(u.panics, v)
}

func (u *under) wantPanics(t *testing.T, n int) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.panics) != n {
		t.Errorf("told of the panics %v, want %d", u.panics, n)
	}
}

const limit = 100

// TestAPluginThatHangs: whatever of it does not come back, the node does, in bounded time.
func TestAPluginThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnder(t)
		c := pluginconn.New(u, "mine", u)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open: %v", err)
		}
		c.Speak(transporttest.Text, limit)
		ended := make(chan error, 2)
		go func() {
			_, err := c.Read()
			ended <- err
		}()
		go func() { ended <- c.Write(transporttest.Frames(t, 1, "x")) }()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("a call came back: %v", err)
		default:
		}
		c.Close(transport.Slow)
		for range 2 {
			var why transport.Disconnect
			if err := <-ended; !errors.As(err, &why) || why != transport.Slow {
				t.Errorf("a call of a closed connection: %v", err)
			}
		}
		began := time.Now()
		c.Finish(transport.Ended)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("a close that hangs took %s", took)
		}
		if err := c.Write(transporttest.Frames(t, 2, "y")); !errors.Is(err, transport.Slow) {
			t.Errorf("Write of a closed connection: %v", err)
		}
		u.wantPanics(t, 0)
		close(u.let)
	})
}

// TestAPluginThatPanics: each panic costs the connection, and is told of.
func TestAPluginThatPanics(t *testing.T) {
	t.Parallel()
	u := newUnder(t)
	u.open = func(context.Context) (plugin.Opening, error) { panic("open") }
	u.read = func(int) ([]byte, error) { panic("read") }
	u.write = func([][]byte) error { panic("write") }
	u.close = func(context.Context, plugin.Disconnect) { panic("close") }
	c := pluginconn.New(u, "mine", u)
	if _, err := c.Open(t.Context()); err == nil {
		t.Error("Open succeeded")
	}
	c.Speak(transporttest.Text, limit)
	if _, err := c.Read(); err == nil {
		t.Error("Read succeeded")
	}
	if err := c.Write(transporttest.Frames(t, 1, "x")); err == nil {
		t.Error("Write succeeded")
	}
	c.Finish(transport.Ended)
	u.wantPanics(t, 4)
}

// TestCloseTellsOnce: the plugin is told the first reason, with how long it has; or that it has no time.
func TestCloseTellsOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*pluginconn.Conn, transport.Disconnect){
		"closed": (*pluginconn.Conn).Close, "cut": (*pluginconn.Conn).Cut,
	} {
		u := newUnder(t)
		told := make(chan plugin.Disconnect, 2)
		inTime := false
		u.close = func(ctx context.Context, why plugin.Disconnect) {
			inTime = ctx.Err() == nil
			told <- why
		}
		c := pluginconn.New(u, "mine", u)
		end(c, transport.Overloaded.After(1500*time.Millisecond))
		c.Close(transport.Kicked)
		c.Finish(transport.Ended)
		want := plugin.Disconnect{Code: 3007, Reason: transport.Overloaded.Reason, RetryAfter: 1500 * time.Millisecond}
		if got := <-told; got != want || len(told) > 0 || inTime != (name == "closed") {
			t.Errorf("%s: told %+v, in time %v, and %d more", name, got, inTime, len(told))
		}
		if c.Peer() != (transport.Peer{Transport: "mine", Remote: "192.0.2.1:7"}) {
			t.Errorf("the peer is %+v", c.Peer())
		}
	}
}

// TestFrames: they come as they were read, and go whole, with their numbers, in one go.
func TestFrames(t *testing.T) {
	t.Parallel()
	u := newUnder(t)
	in := make(chan string, 3)
	in <- "one"
	in <- strings.Repeat("x", limit)
	close(in)
	u.read = func(most int) ([]byte, error) {
		if most != limit {
			t.Errorf("asked for %d bytes", most)
		}
		text, ok := <-in
		if !ok {
			return nil, io.EOF
		}
		return []byte(text), nil
	}
	var wrote []string
	u.write = func(frames [][]byte) error {
		for _, f := range frames {
			wrote = append(wrote, string(f))
			for i := range f[:cap(f)] { // no frame reaches into the next one
				f[:cap(f)][i] = '!'
			}
		}
		return nil
	}
	u.close = func(context.Context, plugin.Disconnect) {}
	c := pluginconn.New(u, "mine", u)
	c.Speak(transporttest.Text, limit)
	for _, want := range []string{"one", strings.Repeat("x", limit)} {
		if got, err := c.Read(); err != nil || string(got) != want {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if _, err := c.Read(); err != io.EOF {
		t.Errorf("the end is %v", err)
	}
	if err := c.Write(transporttest.Frames(t, 7, "a", strings.Repeat("b", 300_000), "c")); err != nil {
		t.Error(err)
	}
	if len(wrote) != 3 || wrote[0] != "7:a" || len(wrote[1]) != 300_002 || wrote[2] != "9:c" {
		t.Errorf("wrote %.60q", wrote)
	}
	c.Finish(transport.Ended)
}

// TestTooLarge: a frame above the limit ends the connection, whether the plugin says so or passes it on.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(int) ([]byte, error){
		"told":      func(int) ([]byte, error) { return nil, plugin.ErrTooLarge },
		"passed on": func(most int) ([]byte, error) { return make([]byte, most+1), nil },
	} {
		u := newUnder(t)
		u.read = read
		u.close = func(_ context.Context, why plugin.Disconnect) {
			if why.Code != 4002 || !strings.Contains(why.Reason, "more than 100 bytes") {
				t.Errorf("%s: told %+v", name, why)
			}
		}
		c := pluginconn.New(u, "mine", u)
		c.Speak(transporttest.Text, limit)
		var why transport.Disconnect
		if _, err := c.Read(); !errors.As(err, &why) || why.Code != transport.BadRequest.Code {
			t.Errorf("%s: %v", name, err)
		}
		c.Finish(transport.Ended)
	}
}
