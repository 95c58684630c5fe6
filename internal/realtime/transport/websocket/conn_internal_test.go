package websocket

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// pair returns a connection and the client's end of it.
func pair(t testing.TB) (*Conn, net.Conn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = lis.Close(), client.Close(), server.Close() }) // each as far as it is open
	c := newConn(NewGroup(Options{MaxMessage: 1 << 20, PingAfter: time.Hour, PingTimeout: time.Hour}))
	c.connect(server, nil)
	c.Speak(transporttest.Text, false, false)
	return c, client
}

func outgoing(t testing.TB, n int) []transport.Outgoing {
	t.Helper()
	enc, err := frame.New("a message of a usual length, of about a hundred bytes or some more").In(transporttest.Text)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]transport.Outgoing, n)
	for i := range out {
		out[i].Frame = enc
	}
	return out
}

// drain reads what is written to a client.
func drain(c net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// TestAConnectionIsAtRestOnceInAWhile asks after each of many messages.
func TestAConnectionIsAtRestOnceInAWhile(t *testing.T) {
	c, client := pair(t)
	ask := func(n int) (rests int) {
		for range n {
			if _, err := client.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame([]byte("x"))))); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(); err != nil {
				t.Fatal(err)
			}
			if c.Resting() {
				rests++
			}
		}
		return rests
	}
	if got := ask(100); got != maxRests {
		t.Errorf("%d rests in a tick", got)
	}
	c.group.now.Add(1)
	if got := ask(100); got != maxRests {
		t.Errorf("%d rests in the next tick", got)
	}
	c.group.now.Add(1)
	two := ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame([]byte("x"))))
	if _, err := client.Write(append(two, two...)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(); err != nil {
		t.Fatal(err)
	}
	// Both were there in one segment of the loopback, as they were written in one go.
	if c.Resting() {
		t.Error("at rest with a message that was not read")
	}
}

// BenchmarkWrite is one write of so many frames, to a client that reads.
func BenchmarkWrite(b *testing.B) {
	for name, n := range map[string]int{"1": 1, "50": 50, "250": 250} {
		b.Run(name, func(b *testing.B) {
			c, client := pair(b)
			go drain(client)
			out := outgoing(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestNothingCutsIntoTheRestOfAWrite lets a client ask for a pong, and the group ping it, while a part of
// a frame waits to be written.
func TestNothingCutsIntoTheRestOfAWrite(t *testing.T) {
	c, client := pair(t)
	out := outgoing(t, 200)
	frames := 0
	for whole := true; whole; frames += len(out) {
		var err error
		if whole, err = c.TryWrite(out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame([]byte("there?"))))); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := c.Read()
		read <- err
	}()
	if err := c.ping(); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error, 1)
	go func() { flushed <- c.Flush() }()
	pong := false
	for got := 0; got < frames || !pong; {
		var f ws.Frame
		var err error
		if f.Header, err = ws.ReadHeader(client); err != nil {
			t.Fatal(err)
		}
		f.Payload = make([]byte, f.Header.Length)
		if _, err = io.ReadFull(client, f.Payload); err != nil {
			t.Fatal(err)
		}
		switch f.Header.OpCode {
		case ws.OpBinary:
			got++
			if !bytes.Equal(f.Payload, out[0].Frame.Body()) {
				t.Fatalf("frame %d is %q", got, f.Payload)
			}
		case ws.OpPong:
			pong = true
			if string(f.Payload) != "there?" {
				t.Errorf("the pong says %q", f.Payload)
			}
		default:
			t.Fatalf("frame of kind %v", f.Header.OpCode)
		}
	}
	if err := <-flushed; err != nil {
		t.Error(err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := <-read; err == nil || err == io.EOF {
		t.Errorf("Read returned %v", err)
	}
}
