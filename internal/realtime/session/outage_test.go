package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// awayLog is empty, and cannot be read while it is away.
type awayLog struct{ away *atomic.Bool }

func (l awayLog) Page(context.Context, int64, int) ([]session.Entry, error) {
	if l.away.Load() {
		return nil, errors.New("the store is away")
	}
	return nil, nil
}

func (awayLog) Received(int64) {}

// lines is a log, line by line.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) holding(word string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, word) {
			n++
		}
	}
	return n
}

func counted(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// TestAnOutageOfTheStoreIsOneLine: while the log cannot be read, each session is tried for again and again. That it began
// is one line, and that it is over is another, however many there are; each try is counted.
func TestAnOutageOfTheStoreIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := &lines{}
		core := session.NewCore(session.Config{QueueBytes: 1 << 20, StallTimeout: time.Minute}, slog.New(slog.NewTextHandler(said, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- core.Catcher.Run(ctx) }()
		var out atomic.Bool
		behind := func(n int) (all []*session.Session) {
			for range n {
				s := session.New(core, session.Options{ID: "s", User: "alice", Format: transporttest.Text}, transporttest.NewConn(), time.Time{})
				sub := session.NewSubscription(s, "room", channel{}, awayLog{&out}, 0)
				s.Add(sub)
				s.Start(sub)
				all = append(all, s)
			}
			return all
		}
		want := func(began, over int) {
			t.Helper()
			synctest.Wait()
			if b, o := said.holding("cannot be read"), said.holding("read again"); b != began || o != over {
				t.Errorf("%d lines that it began and %d that it is over; want %d and %d in\n%s", b, o, began, over, &said.text)
			}
		}
		out.Store(true)
		behind(50)
		time.Sleep(10 * time.Second)
		want(1, 0)
		if n := counted(t, core.Metrics.BacklogErrors); n < 50*10 {
			t.Errorf("%v failures were counted of 50 sessions in ten seconds", n)
		}
		out.Store(false)
		time.Sleep(time.Second)
		want(1, 1)
		if n := counted(t, core.Metrics.CaughtUp); n != 50 {
			t.Errorf("%v sessions have caught up", n)
		}

		// The next outage is news. That nobody is left who was behind does not end it.
		out.Store(true)
		for _, s := range behind(5) {
			synctest.Wait()
			s.Close(transport.Ended)
		}
		time.Sleep(time.Second)
		want(2, 1)
		behind(5)
		time.Sleep(time.Second)
		want(2, 1)
		out.Store(false)
		time.Sleep(time.Second)
		want(2, 2)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
