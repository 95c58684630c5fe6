package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/test/proxy"
)

// fast lets one session send as fast as it can.
const fast = "\nsession:\n  sends_per_second: 1000000\n  send_burst: 1000000\n"

// TestBacklogOf100000: members who come back to a very long backlog catch up while the room is busy:
// in order, without a hole, and without being closed.
func TestBacklogOf100000(t *testing.T) {
	n := Start(t, fast)
	im := n.Calls()
	length := 100_000
	if testing.Short() {
		length = 10_000
	}
	readers := []Hello{
		{User: "plain", Room: "room"},
		{User: "capable", Room: "room", Capabilities: "ack,resume,batch"},
	}
	for _, h := range readers {
		join(t, im, "room", h.User)
	}
	started := time.Now()
	fill(t, n, length)
	t.Logf("%d messages written in %s", length, time.Since(started).Round(time.Millisecond))

	join(t, im, "room", "first", "second")
	busy, quiet := context.WithCancel(t.Context())
	defer quiet()
	var live [2]int64
	var chatters sync.WaitGroup
	for i, user := range []string{"first", "second"} {
		chatters.Go(func() { live[i] = chatter(busy, t, im, "room", user, 5*time.Millisecond) })
	}
	started = time.Now()
	var wg sync.WaitGroup
	for _, h := range readers {
		s := n.Connect(h)
		wg.Go(func() { catchUp(t, s, h.User, length) })
	}
	wg.Wait()
	t.Logf("caught up after %s", time.Since(started).Round(time.Millisecond))
	quiet()
	chatters.Wait()
	if live[0]+live[1] == 0 {
		t.Error("the room was not busy")
	}
	if code := n.Metric("hermod_session_disconnects_total", `code="3001"`); code > 0 {
		t.Errorf("%g sessions were closed as slow", code)
	}
}

// fill writes messages to the room as fast as it goes, from several streams.
func fill(t *testing.T, n *Node, length int) {
	t.Helper()
	const writers = 4
	var wg sync.WaitGroup
	for i := range writers {
		s := &busySender{
			Stream: n.Connect(Hello{User: string(rune('a' + i)), Device: "w", Capabilities: "ack,batch"}),
			user:   "writer", count: length / writers, window: 256, acked: map[string]int64{},
		}
		join(t, n.Calls(), "room", string(rune('a'+i)))
		wg.Go(func() {
			if err := s.run(within(t), "room"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// catchUp reads the whole backlog and a hundred messages beyond it.
func catchUp(t *testing.T, s *Stream, user string, length int) {
	t.Helper()
	ctx := within(t)
	seq := int64(0)
	link := uint64(0)
	for seq < int64(length)+100 {
		f, err := s.next(ctx)
		if err != nil {
			t.Errorf("%s after %d: %v", user, seq, err)
			return
		}
		if f.GetSeq() == 0 {
			continue // who joined meanwhile
		}
		if f.GetSeq() != seq+1 {
			t.Errorf("%s: seq %d after %d", user, f.GetSeq(), seq)
			return
		}
		seq = f.GetSeq()
		if f.Link >= link+64 {
			link = f.Link
			s.AckLink(link)
		}
	}
}

// TestASlowReaderIsNotClosedWhileItReads: a client that takes little, but takes, keeps its stream and
// gets everything; one that takes nothing is closed as slow, and the room goes on without them.
func TestASlowReaderIsNotClosedWhileItReads(t *testing.T) {
	t.Parallel()
	n := Start(t, "session:\n  stall_timeout: 5s\n  queue_bytes: 64KiB\n")
	im := n.Calls()
	join(t, im, "room", "alice")
	link := proxy.New(t, n.IM)
	stuck := Open(t, link.Addr, Hello{User: "stuck", Room: "room", Capabilities: "resume"}).Greeted()
	fine := n.Connect(Hello{User: "fine", Room: "room"})
	slow := n.Connect(Hello{User: "slow", Room: "room", Capabilities: "resume"})
	n.settled(6)
	link.Stall()
	const count = 600
	payload := string(make([]byte, 1024)) // far more than a queue holds
	var wg sync.WaitGroup
	wg.Go(func() { inOrder(t, fine, "fine", count, func(Frame) {}) })
	wg.Go(func() {
		inOrder(t, slow, "slow", count, func(f Frame) {
			time.Sleep(2 * time.Millisecond) // a little at a time, always within stall_timeout
			slow.AckLink(f.Link)
		})
	})
	for range count {
		say(t, im, "room", "alice", payload)
	}
	wg.Wait()
	n.AwaitMetric(1, "hermod_session_disconnects_total", `code="3001"`)
	stuck.Cut()
	if n.Metric("hermod_session_disconnects_total", `code="3001"`) != 1 {
		t.Error("more than the one that took nothing was closed as slow")
	}
	if rest := slow.Flush(); len(rest) > 0 {
		t.Errorf("slow: %d more", len(rest))
	}
	if rest := fine.Flush(); len(rest) > 0 {
		t.Errorf("fine: %d more", len(rest))
	}
}

// inOrder reads count messages, which must be numbered from 1.
func inOrder(t *testing.T, s *Stream, name string, count int64, took func(Frame)) {
	t.Helper()
	ctx := within(t)
	for seq := int64(0); seq < count; {
		f, err := s.next(ctx)
		if err != nil {
			t.Errorf("%s, after %d: %v", name, seq, err)
			return
		}
		if f.GetSeq() > 0 {
			if seq++; f.GetSeq() != seq {
				t.Errorf("%s: seq %d, want %d", name, f.GetSeq(), seq)
				return
			}
		}
		took(f)
	}
}
