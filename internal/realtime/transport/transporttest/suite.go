package transporttest

import (
	"errors"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// patience is how long a test waits for what must happen, on a loaded machine.
const patience = time.Minute

// Handler serves one connection; when it returns, whoever gave it the connection finishes it.
type Handler func(transport.Conn) error

// Transport is one that Run holds against what transport.Conn promises.
type Transport struct {
	// Serve starts a server that gives each connection, of format Text, to a handler in a goroutine
	// of its own, and ends with the test. It returns what connects a client; that fails the test if
	// it cannot.
	Serve func(t *testing.T, handle Handler) (dial func(t *testing.T) Peer)
	// MaxFrame is the largest inbound frame, in bytes, that the server takes.
	MaxFrame int
	// DeadAfter is how long the server may take to give up a client that has vanished, its pings
	// configured as short as the transport allows.
	DeadAfter time.Duration
	// Malformed are the ways to break the transport's own framing, by name. None: a client cannot.
	Malformed map[string]func(Peer) error
}

// Peer is a client of the transport under test. Send and Recv may be called by one goroutine each,
// the others by anybody.
type Peer interface {
	// Send writes one frame.
	Send(data string) error
	// Recv returns the next frame, with its number as Text writes it. At the end its error is the
	// transport.Disconnect that the server gave, io.EOF if it ended without one, or anything else
	// when the connection was lost.
	Recv() (string, error)
	// Finish ends the session as a client does that means it. What the server still writes may be
	// received afterwards.
	Finish() error
	// Cut ends the connection without a word, as a process does that is killed.
	Cut()
	// Vanish lets the peer be gone without the server being told: nothing that it sends is
	// answered any more, not even by the client's system.
	Vanish()
}

// Run holds a transport against the rules, each a subtest.
func Run(t *testing.T, tr Transport) {
	t.Helper()
	for _, rule := range []struct {
		name  string
		check func(*testing.T, Transport)
	}{
		{"the server may speak first, and the client", handshake},
		{"a refusal ends the connection", refusal},
		{"frames go in as they were sent, in order", inbound},
		{"frames go out as they are, in order, with their numbers", outbound},
		{"one frame goes to many connections", shared},
		{"a client that resumes gets the same frames on another connection", resumed},
		{"a clean end is io.EOF, and answers follow it", cleanEnd},
		{"a cut connection is not a clean end", cut},
		{"a vanished client is given up", vanished},
		{"the client is told why it was closed", told},
		{"closing makes Read and Write return, and can be repeated", closing},
		{"closing frees a write to a client that does not read", stuck},
		{"a frame may be as large as the limit and no larger", oversized},
		{"malformed framing ends one connection", malformed},
		{"clients that come and go leave nothing behind", churn},
	} {
		t.Run(rule.name, func(t *testing.T) { rule.check(t, tr) })
	}
}

// Frames are frames with the given texts, numbered from first, or not at all if that is 0.
func Frames(t testing.TB, first uint64, texts ...string) (out []transport.Outgoing) {
	t.Helper()
	for i, text := range texts {
		f, err := frame.New(text).In(Text)
		if err != nil {
			t.Fatal(err)
		}
		o := transport.Outgoing{Frame: f}
		if first > 0 {
			o.Link = first + uint64(i)
		}
		out = append(out, o)
	}
	return out
}

// Await receives from a channel, or fails the test when that takes too long.
func Await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
		panic("unreachable")
	}
}

// echo answers each frame with itself until the connection ends.
func echo(t *testing.T) Handler {
	return func(c transport.Conn) error {
		for {
			data, err := c.Read()
			if err != nil {
				return nil
			}
			if err := c.Write(Frames(t, 0, string(data))); err != nil {
				return nil
			}
		}
	}
}

// wantEcho checks that a connection to an echo works.
func wantEcho(t *testing.T, p Peer, text string) {
	t.Helper()
	if err := p.Send(text); err != nil {
		t.Fatalf("send: %v", err)
	}
	wantFrame(t, p, text)
}

func wantFrame(t *testing.T, p Peer, want string) {
	t.Helper()
	got, err := recv(t, p)
	if err != nil || got != want {
		t.Fatalf("received %.60q (%d bytes), %v; want %.60q", got, len(got), err, want)
	}
}

type received struct {
	text string
	err  error
}

// recv is Recv with patience.
func recv(t *testing.T, p Peer) (string, error) {
	t.Helper()
	done := make(chan received, 1)
	go func() {
		text, err := p.Recv()
		done <- received{text, err}
	}()
	r := Await(t, done, "something received")
	return r.text, r.err
}

// end receives until the connection ends and returns why.
func end(t *testing.T, p Peer) error {
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
	return Await(t, done, "the end of the connection")
}

// wantReason checks what the client was told at the end.
func wantReason(t *testing.T, err error, want transport.Disconnect) {
	t.Helper()
	var got transport.Disconnect
	if !errors.As(err, &got) || got != want {
		t.Errorf("the client was told %v, want %v", err, want)
	}
}
