package transporttest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/realtime/transport"
)

func handshake(t *testing.T, tr Transport) {
	first := tr.Serve(t, func(c transport.Conn) error {
		if err := c.Write(Frames(t, 1, "welcome")); err != nil {
			return err
		}
		_, err := c.Read()
		return err
	})(t)
	wantFrame(t, first, "1:welcome")
	first.Cut()

	second := tr.Serve(t, echo(t))(t)
	wantEcho(t, second, "hello")
	second.Cut()
}

func refusal(t *testing.T, tr Transport) {
	dial := tr.Serve(t, func(transport.Conn) error { return errors.New("nobody is let in") })
	p := dial(t)
	if err := end(t, p); err == nil {
		t.Error("the connection goes on")
	}
}

func inbound(t *testing.T, tr Transport) {
	want := []string{"a", "", "größer", strings.Repeat("x", 126), strings.Repeat("y", min(50_000, tr.MaxFrame))}
	for i := range 300 {
		want = append(want, fmt.Sprint("frame ", i))
	}
	got := make(chan []string, 1)
	p := tr.Serve(t, func(c transport.Conn) error {
		var frames []string
		for range want {
			data, err := c.Read()
			if err != nil {
				t.Errorf("after %d frames: %v", len(frames), err)
				break
			}
			frames = append(frames, string(data)) // the bytes are ours until the next Read at least
		}
		got <- frames
		return nil
	})(t)
	for _, text := range want {
		if err := p.Send(text); err != nil {
			t.Fatal(err)
		}
	}
	if frames := Await(t, got, "all frames"); !slices.Equal(frames, want) {
		t.Errorf("got %d frames that are not the %d that were sent", len(frames), len(want))
	}
}

func outbound(t *testing.T, tr Transport) {
	texts := []string{"a", "", "größer", strings.Repeat("x", 125), strings.Repeat("y", 126), strings.Repeat("z", 70_000)}
	p := tr.Serve(t, func(c transport.Conn) error {
		link := uint64(1)
		for range 3 { // the second time, transports may have something prepared
			if err := c.Write(Frames(t, link, texts...)); err != nil {
				return err
			}
			link += uint64(len(texts))
			if err := c.Write(Frames(t, 0, texts...)); err != nil {
				return err
			}
		}
		_, err := c.Read()
		return err
	})(t)
	link := 1
	for range 3 {
		for _, text := range texts {
			wantFrame(t, p, fmt.Sprintf("%d:%s", link, text))
			link++
		}
		for _, text := range texts {
			wantFrame(t, p, text)
		}
	}
	p.Cut()
}

func shared(t *testing.T, tr Transport) {
	const clients, rounds = 8, 20
	out := Frames(t, 0, "shared", strings.Repeat("s", 5000))
	numbered := slices.Clone(out)
	for i := range numbered {
		numbered[i].Link = uint64(i + 1)
	}
	dial := tr.Serve(t, func(c transport.Conn) error {
		for range rounds {
			if err := errors.Join(c.Write(out), c.Write(numbered)); err != nil {
				return err
			}
		}
		_, err := c.Read()
		return err
	})
	var wg sync.WaitGroup
	for range clients {
		p := dial(t)
		wg.Go(func() {
			defer p.Cut()
			for range rounds {
				for _, want := range []string{"shared", strings.Repeat("s", 5000), "1:shared", "2:" + strings.Repeat("s", 5000)} {
					if got, err := p.Recv(); err != nil || got != want {
						t.Errorf("received %.40q, %v; want %.40q", got, err, want)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if string(out[0].Frame.Body()) != "shared" {
		t.Error("a transport has changed a frame that others share")
	}
}

// resumed writes frames on a connection, and those that the client lost once more on its next one.
func resumed(t *testing.T, tr Transport) {
	conns := make(chan transport.Conn, 2)
	dial := tr.Serve(t, func(c transport.Conn) error {
		conns <- c
		_, err := c.Read()
		return err
	})
	frames := Frames(t, 1, "one", "two", "three")
	first := dial(t)
	old := Await(t, conns, "the first connection")
	if err := old.Write(frames); err != nil {
		t.Fatal(err)
	}
	wantFrame(t, first, "1:one")
	second := dial(t)
	next := Await(t, conns, "the second connection")
	old.Close(transport.Replaced)
	if err := next.Write(frames[1:]); err != nil {
		t.Fatal(err)
	}
	wantFrame(t, second, "2:two")
	wantFrame(t, second, "3:three")
	wantReason(t, end(t, first), transport.Replaced)
	second.Cut()
}

func oversized(t *testing.T, tr Transport) {
	read := make(chan error, 1)
	var largest int
	dial := tr.Serve(t, func(c transport.Conn) error {
		for {
			data, err := c.Read()
			if err != nil {
				read <- err
				return err
			}
			largest = max(largest, len(data))
		}
	})
	p := dial(t)
	if err := p.Send(strings.Repeat("x", tr.MaxFrame)); err != nil {
		t.Fatal(err)
	}
	_ = p.Send(strings.Repeat("x", tr.MaxFrame+1)) // may fail: the server is free to hang up on the way
	if err := Await(t, read, "the end of Read"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a frame beyond the limit is %v", err)
	}
	if largest != tr.MaxFrame {
		t.Errorf("the largest frame that was read has %d bytes, want %d", largest, tr.MaxFrame)
	}
	if err := end(t, p); err == nil {
		t.Error("the connection goes on")
	}
}

func malformed(t *testing.T, tr Transport) {
	if len(tr.Malformed) == 0 {
		t.Skip("a client of this transport cannot break its framing")
	}
	for name, breach := range tr.Malformed {
		t.Run(name, func(t *testing.T) {
			read := make(chan error, 1)
			p := tr.Serve(t, func(c transport.Conn) error {
				for {
					if _, err := c.Read(); err != nil {
						read <- err
						return err
					}
				}
			})(t)
			if err := breach(p); err != nil {
				t.Fatal(err)
			}
			if err := Await(t, read, "the end of Read"); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("Read returned %v", err)
			}
			if err := end(t, p); err == nil {
				t.Error("the connection goes on")
			}
		})
	}
}
