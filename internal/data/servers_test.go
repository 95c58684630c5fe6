package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// onServers runs a test on each kind of server, one that is its own.
func onServers(t *testing.T, test func(t *testing.T, s *databases.Server, opts Options)) {
	t.Helper()
	for driver, start := range databases.Start {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			// Longer than usual: what a test waits for on a slow machine is not what it is about.
			test(t, s, Options{Driver: driver, DSN: s.Create(), StatementTimeout: 30 * time.Second})
		})
	}
}

// TestA2IdempotentAcrossNodes: the same message sent to two nodes at the same time is stored once, and
// both senders learn its place.
func TestA2IdempotentAcrossNodes(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		const messages = 100
		first, second := openWith(t, opts), openWith(t, opts)
		joinRoom(t, first, "r", "u")
		one, _ := runLog(t, first, &recorder{}, LogOptions{})
		other, _ := runLog(t, second, &recorder{}, LogOptions{})
		var running sync.WaitGroup
		outcomes := make([][2]outcome, messages)
		for i := range messages {
			for n, l := range []*MessageLog{one, other} {
				running.Go(func() { outcomes[i][n] = <-appendAsync(l, textDraft("r", "u", fmt.Sprint(i), "x")) })
			}
		}
		running.Wait()
		for i, o := range outcomes {
			if o[0].err != nil || o[1].err != nil || o[0].ID != o[1].ID || o[0].Duplicate == o[1].Duplicate {
				t.Errorf("message %d: %+v and %+v", i, o[0], o[1])
			}
		}
		if n := len(readAll(t, one, "r")); n != messages {
			t.Errorf("%d messages are stored, want %d", n, messages)
		}
	})
}

// TestA1DurableAckServerKilled kills the database again and again while messages are sent. Whatever was
// acknowledged is there once, and the node goes on by itself.
func TestA1DurableAckServerKilled(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *databases.Server, opts Options) {
		const rounds = 3
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		l, _ := runLog(t, db, &recorder{}, LogOptions{})
		acked := make(map[string]int64)
		next := 0
		send := func(n int) (failed int) {
			var sent []<-chan outcome
			for range n {
				sent = append(sent, appendAsync(l, textDraft("r", "u", fmt.Sprint(next), "x")))
				next++
			}
			for _, o := range sent {
				switch got := <-o; {
				case got.err == nil:
					acked[got.ID] = got.Seq
				case kindOf(got.err) != biz.KindUnavailable:
					t.Errorf("refused with %v", got.err)
				default:
					failed++
				}
			}
			return failed
		}
		for range rounds {
			if send(50) > 0 {
				t.Error("refused while the database was there")
			}
			s.Kill()
			if failed := send(20); failed != 20 {
				t.Errorf("%d of 20 messages were refused without a database", failed)
			}
			s.Restart()
			for deadline := time.Now().Add(30 * time.Second); send(1) > 0; { // the first may meet a lost connection
				if time.Now().After(deadline) {
					t.Fatal("the node does not recover")
				}
			}
		}
		for i, m := range readAll(t, l, "r") {
			if m.Seq != int64(i+1) {
				t.Fatalf("place %d: seq %d", i+1, m.Seq)
			}
			delete(acked, m.ID)
		}
		if len(acked) > 0 {
			t.Errorf("%d acknowledged messages are lost", len(acked))
		}
	})
}

// TestHangingServer: a database that does not answer costs senders and readers no more than the timeout
// of a statement, and nothing once it answers again.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *databases.Server, opts Options) {
		opts.StatementTimeout = 2 * time.Second
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		l, _ := runLog(t, db, &recorder{}, LogOptions{})
		mustAppend(t, l, textDraft("r", "u", "", "before"))
		s.Pause()
		began := time.Now()
		if o := appendOne(t, l, textDraft("r", "u", "", "meanwhile")); kindOf(o.err) != biz.KindUnavailable {
			t.Errorf("append: %v", o.err)
		}
		if _, err := l.Page(context.Background(), "r", 0, 10); kindOf(err) != biz.KindUnavailable {
			t.Errorf("page: %v", err)
		}
		if err := db.Ping(t.Context()); err == nil {
			t.Error("ready while the database hangs")
		}
		if took := time.Since(began); took > 15*opts.StatementTimeout {
			t.Errorf("that took %v", took)
		}
		s.Continue()
		for deadline := time.Now().Add(30 * time.Second); ; {
			if o := appendOne(t, l, textDraft("r", "u", "after", "after")); o.err == nil {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("the node does not recover: %v", o.err)
			}
		}
	})
}

// TestReadVersionOfAServer: of a database without a schema, of one in use, and of none.
func TestReadVersionOfAServer(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *databases.Server, opts Options) {
		if v, err := ReadVersion(t.Context(), opts); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("of an empty one: %+v, %v", v, err)
		}
		openWith(t, opts)
		if v, err := ReadVersion(t.Context(), opts); err != nil || v.Schema == 0 || v.Schema != v.Known {
			t.Errorf("of one in use: %+v, %v", v, err)
		}
		s.Kill()
		if v, err := ReadVersion(t.Context(), opts); err == nil {
			t.Errorf("of one that is gone: %+v", v)
		}
	})
}
