package websocket

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/gobwas/ws"

	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

const fuzzLimit = 1 << 16

func newReader(src io.Reader) *reader {
	return &reader{src: &plain{Reader: src}, limit: fuzzLimit}
}

// plain fills inboxes from any source.
type plain struct {
	io.Reader
	ping func([]byte) // nil: nobody asks
}

func (p *plain) pinged(payload []byte) {
	if p.ping != nil {
		p.ping(payload)
	}
}

func (p *plain) fill() (*inbox, error) { return fillPrivate(p.Reader) }

// FuzzReader feeds a reader with what no client would send. Whatever it is, the reader ends with an
// error of a kind that Conn knows, and no message is beyond the limit.
func FuzzReader(f *testing.F) {
	add := func(frames ...ws.Frame) {
		var b []byte
		for _, frame := range frames {
			b = append(b, ws.MustCompileFrame(ws.MaskFrame(frame))...)
		}
		f.Add(b)
	}
	add(ws.NewTextFrame([]byte("text")), ws.NewPingFrame([]byte("ping")), ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye")))
	add(ws.NewFrame(ws.OpBinary, false, []byte("a")), ws.NewPongFrame(nil), ws.NewFrame(ws.OpContinuation, true, []byte("b")))
	add(ws.NewBinaryFrame(make([]byte, 70_000)))
	f.Add([]byte{0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newReader(bytes.NewReader(in))
		for {
			op, data, err := r.message()
			if err == nil {
				if len(data) > fuzzLimit || op != ws.OpText && op != ws.OpBinary {
					t.Fatalf("a message of %d bytes and kind %v", len(data), op)
				}
				continue
			}
			if errors.Is(err, errQuiet) {
				continue
			}
			var v *violation
			var l *left
			if !errors.As(err, &v) && !errors.As(err, &l) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			return
		}
	})
}

// FuzzFragments cuts messages into fragments, with control frames between them, and gives them to the
// reader in pieces of any size: they come out as they went in.
func FuzzFragments(f *testing.F) {
	f.Add([]byte("message"), []byte(""), uint64(1))
	f.Add(bytes.Repeat([]byte{0x81}, 5000), []byte("x"), uint64(2))
	f.Fuzz(func(t *testing.T, one, two []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		want := [][]byte{one, two}
		var wire []byte
		pings := 0
		for _, message := range want {
			op := ws.OpBinary
			for rest, last := message, false; !last; op = ws.OpContinuation {
				n := rnd.IntN(len(rest) + 1)
				last = rnd.IntN(4) == 0
				if last {
					n = len(rest)
				}
				var mask [4]byte
				for i := range mask {
					mask[i] = byte(rnd.Uint32())
				}
				wire = append(wire, ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(op, last, rest[:n]), mask))...)
				rest = rest[n:]
				if rnd.IntN(3) == 0 {
					wire = append(wire, ws.MustCompileFrame(ws.MaskFrameWith(ws.NewPingFrame([]byte("p")), [4]byte{1, 2, 3, 4}))...)
					pings++
				}
			}
		}
		var src io.Reader = bytes.NewReader(wire)
		if rnd.IntN(2) == 0 {
			src = iotest.OneByteReader(src)
		}
		r := newReader(src)
		got := 0
		r.src.(*plain).ping = func(payload []byte) {
			if string(payload) == "p" {
				got++
			}
		}
		for _, message := range want {
			if len(message) > fuzzLimit {
				return
			}
			_, data, err := r.message()
			for errors.Is(err, errQuiet) {
				_, data, err = r.message()
			}
			if err != nil || !bytes.Equal(data, message) {
				t.Fatalf("%d bytes came out as %d, %v", len(message), len(data), err)
			}
		}
		_, _, err := r.message()
		for errors.Is(err, errQuiet) {
			_, _, err = r.message()
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("behind the last message: %v", err)
		}
		if got != pings {
			t.Fatalf("%d of %d pings", got, pings)
		}
	})
}

func TestHeadersAsTheLibraryWritesThem(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20} {
		want := ws.MustCompileFrame(ws.NewBinaryFrame(make([]byte, n)))
		if got := appendHeader(nil, ws.OpBinary, n); !bytes.Equal(got, want[:len(want)-n]) {
			t.Errorf("%d bytes: % x, want % x", n, got, want[:len(want)-n])
		}
	}
}

// TestAFrameOnItsWayMakesNoGarbage: what stands before a body is written in place, and right.
func TestAFrameOnItsWayMakesNoGarbage(t *testing.T) {
	c := &Conn{format: transporttest.Text}
	dst := make([]byte, 0, 64)
	for _, body := range []int{0, 100, 123, 124, 125, 126, 65_530, 65_534, 65_536} {
		got := string(c.head(dst, 9, body))
		if want := string(appendHeader(nil, ws.OpBinary, body+2)) + "9:"; got != want {
			t.Errorf("%d: % x, want % x", body, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = c.head(dst, 1<<40, 100) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
