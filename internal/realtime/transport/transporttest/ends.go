package transporttest

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

func cleanEnd(t *testing.T, tr Transport) {
	ended := make(chan error, 1)
	p := tr.Serve(t, func(c transport.Conn) error {
		for {
			if _, err := c.Read(); err != nil {
				if errors.Is(err, io.EOF) {
					err = errors.Join(err, c.Write(Frames(t, 0, "the last answer")))
				}
				ended <- err
				return nil
			}
		}
	})(t)
	if err := p.Send("the last question"); err != nil {
		t.Fatal(err)
	}
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	wantFrame(t, p, "the last answer")
	if err := Await(t, ended, "the end of Read"); !errors.Is(err, io.EOF) {
		t.Errorf("Read returned %v", err)
	}
	if err := end(t, p); !errors.Is(err, io.EOF) {
		t.Errorf("the client saw %v", err)
	}
}

func cut(t *testing.T, tr Transport) {
	ended := make(chan error, 1)
	started := make(chan bool, 1)
	dial := tr.Serve(t, func(c transport.Conn) error {
		started <- true
		_, err := c.Read()
		ended <- err
		return err
	})
	p := dial(t)
	Await(t, started, "the connection")
	p.Cut()
	if err := Await(t, ended, "the end of Read"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Read returned %v", err)
	}
}

func vanished(t *testing.T, tr Transport) {
	ended := make(chan error, 1)
	dial := tr.Serve(t, func(c transport.Conn) error {
		var err error
		for err == nil {
			var data []byte
			if data, err = c.Read(); err == nil {
				err = c.Write(Frames(t, 0, string(data)))
			}
		}
		ended <- err
		return err
	})
	p := dial(t)
	wantEcho(t, p, "here")
	p.Vanish()
	start := time.Now()
	if err := Await(t, ended, "the end of Read"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Read returned %v", err)
	}
	if took := time.Since(start); took > tr.DeadAfter+patience/2 {
		t.Errorf("it took %v to notice, %v are allowed", took, tr.DeadAfter)
	}
}

func told(t *testing.T, tr Transport) {
	for _, why := range []transport.Disconnect{
		transport.Shutdown, transport.Slow, transport.TokenExpired, transport.StoreGone, transport.InternalError,
		transport.NotStarted, transport.Replaced, transport.Kicked.Because("by carol"), transport.BadRequest,
		transport.Overloaded.After(1500 * time.Millisecond),
		{Code: 4600, Reason: "gesperrt für immer, 100%\n永久封禁\t\x7f"}, // a service's own words
	} {
		t.Run(why.Reason, func(t *testing.T) {
			t.Parallel()
			read := make(chan error, 1)
			conns := make(chan transport.Conn, 1)
			p := tr.Serve(t, func(c transport.Conn) error {
				conns <- c
				_, err := c.Read()
				read <- err
				return err
			})(t)
			c := Await(t, conns, "the connection")
			if err := c.Write(Frames(t, 1, "before")); err != nil {
				t.Fatal(err)
			}
			wantFrame(t, p, "1:before")
			c.Close(why)
			c.Close(transport.InternalError) // too late to count
			wantReason(t, end(t, p), why)
			if err := Await(t, read, "the end of Read"); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("Read returned %v", err)
			}
		})
	}
}

func closing(t *testing.T, tr Transport) {
	read := make(chan error, 1)
	conns := make(chan transport.Conn, 1)
	p := tr.Serve(t, func(c transport.Conn) error {
		conns <- c
		_, err := c.Read()
		read <- err
		return err
	})(t)
	c := Await(t, conns, "the connection")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { c.Close(transport.Shutdown) })
	}
	wg.Wait()
	if err := Await(t, read, "the end of Read"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Read returned %v", err)
	}
	wantReason(t, end(t, p), transport.Shutdown)
	if err := c.Write(Frames(t, 0, "late")); err == nil {
		t.Error("a frame was written after the end")
	}
	c.Close(transport.Kicked) // has nothing to close, and does no harm
}

// stuck fills whatever buffers there are to a client that does not read, while others go on.
func stuck(t *testing.T, tr Transport) {
	var (
		failed  = make(chan error, 1)
		written = make(chan bool, 1<<16)
		conns   = make(chan transport.Conn, 1)
	)
	dial := tr.Serve(t, func(c transport.Conn) error {
		conns <- c
		out := Frames(t, 1, strings.Repeat("x", 30_000), strings.Repeat("y", 30_000))
		for {
			if err := c.Write(out); err != nil {
				failed <- err
				return err
			}
			written <- true
		}
	})
	p := dial(t)
	defer p.Cut()
	c := Await(t, conns, "the connection")
	still(t, written)
	c.Close(transport.Slow)
	if err := Await(t, failed, "the end of a blocked write"); err == nil {
		t.Error("a blocked write succeeded")
	}
	if err := end(t, p); err == nil { // behind what came before; it may be too late to say why
		t.Error("the connection goes on")
	}
	wantEcho(t, tr.Serve(t, echo(t))(t), "others")
}

// still returns once there was no progress for a time that is long for a write in memory.
func still(t *testing.T, progress <-chan bool) {
	t.Helper()
	Await(t, progress, "a first write")
	for {
		select {
		case <-progress:
		case <-time.After(300 * time.Millisecond):
			return
		}
	}
}

// churn connects and disconnects in all ways and then waits until no handler is left.
func churn(t *testing.T, tr Transport) {
	const cycles = 30
	var handlers sync.WaitGroup
	handlers.Add(cycles)
	dial := tr.Serve(t, func(c transport.Conn) error {
		defer handlers.Done()
		return echo(t)(c)
	})
	for i := range cycles {
		p := dial(t)
		wantEcho(t, p, "hello")
		switch i % 3 {
		case 0:
			p.Cut()
		case 1:
			if err := p.Finish(); err != nil {
				t.Error(err)
			}
			if err := end(t, p); !errors.Is(err, io.EOF) {
				t.Errorf("the client saw %v", err)
			}
		case 2:
			if err := p.Send("not read by anybody"); err != nil {
				t.Error(err)
			}
			p.Cut()
		}
	}
	gone := make(chan bool)
	go func() {
		handlers.Wait()
		close(gone)
	}()
	Await(t, gone, "the end of every handler")
}
