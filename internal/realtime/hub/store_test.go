package hub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/hub"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// store is what nodes share in tests: message n of a room has the text "n".
type store struct {
	mu      sync.Mutex
	rooms   map[string][]string // senders
	floor   map[string]int64
	fail    error
	slow    time.Duration // what a read takes
	reads   int           // by the node
	heads   int           // questions how far channels reach
	pages   int           // by sessions
	atOnce  int           // reads that run
	mostNow int
}

func newStore() *store { return &store{rooms: map[string][]string{}, floor: map[string]int64{}} }

// append stores a message and returns its publication on the node whose session sent it, if one did.
func (s *store) append(room, from, origin string) *frame.Publication {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms[room] = append(s.rooms[room], from)
	seq := int64(len(s.rooms[room]))
	p := publication(room, seq, from)
	p.Origin, p.Reply = origin, frame.New(fmt.Sprint("ack ", seq))
	return p
}

func publication(room string, seq int64, from string) *frame.Publication {
	return &frame.Publication{Channel: room, Seq: seq, Frame: frame.New(fmt.Sprint(seq)), From: from}
}

// remote is a publication as another node gets it.
func remote(p *frame.Publication) *frame.Publication { return publication(p.Channel, p.Seq, p.From) }

func head(room string, seq int64) *frame.Publication {
	return &frame.Publication{Channel: room, Seq: seq}
}

// Keeps implements hub.Log.
func (s *store) Keeps(channel string) bool { return channel != "inbox" }

// Publications implements hub.Log.
func (s *store) Publications(_ context.Context, channel string, after, upTo int64, limit int) ([]*frame.Publication, error) {
	s.mu.Lock()
	s.reads++
	s.atOnce++
	s.mostNow = max(s.mostNow, s.atOnce)
	s.mu.Unlock()
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.atOnce--
	if s.fail != nil {
		return nil, s.fail
	}
	if s.floor[channel] > after {
		return nil, hub.ErrGone
	}
	var ps []*frame.Publication
	for seq := after + 1; seq <= min(upTo, int64(len(s.rooms[channel]))) && len(ps) < limit; seq++ {
		ps = append(ps, publication(channel, seq, s.rooms[channel][seq-1]))
	}
	return ps, nil
}

// withHeads is the store with what makes asking for many channels cheap.
type withHeads struct{ *store }

// Heads implements hub.Heads.
func (s withHeads) Heads(_ context.Context, channels []string) (map[string]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads++
	if s.fail != nil {
		return nil, s.fail
	}
	heads := map[string]int64{}
	for _, c := range channels {
		heads[c] = int64(len(s.rooms[c]))
	}
	return heads, nil
}

func (s *store) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *store) counts() (reads, heads, pages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.heads, s.pages
}

// reader is a room's log as one user reads it. What he has said himself he knows.
type reader struct {
	*store
	room, user string
	then       func() // what happens once when a page was read
}

// Page implements session.Source.
func (r *reader) Page(_ context.Context, after int64, limit int) ([]session.Entry, error) {
	defer func() {
		if then := r.then; then != nil {
			r.then = nil
			then()
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages++
	if r.fail != nil {
		return nil, r.fail
	}
	var page []session.Entry
	if floor := r.floor[r.room]; floor > after {
		page = append(page, session.Entry{Seq: floor, Frame: frame.New(fmt.Sprint("gone up to ", floor)), Gap: true})
		after = floor
	}
	for seq := after + 1; seq <= int64(len(r.rooms[r.room])) && len(page) < limit; seq++ {
		e := session.Entry{Seq: seq}
		if r.rooms[r.room][seq-1] != r.user {
			e.Frame = frame.New(fmt.Sprint(seq))
		}
		page = append(page, e)
	}
	return page, nil
}

// Received implements session.Source.
func (r *reader) Received(int64) {}

// node is a hub that reads from a store, in a bubble of its own clock.
type node struct {
	*bench
	t     testing.TB
	store *store
}

func runNode(t *testing.T, store *store, log hub.Log, test func(t *testing.T, n *node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core := session.NewCore(session.Config{QueueBytes: 1 << 20, StallTimeout: time.Minute}, slog.New(slog.DiscardHandler))
		n := &node{&bench{hub.New(core.Writer, core.Log), core}, t, store}
		n.ReadFrom(log)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 3)
		for _, run := range []func(context.Context) error{core.Writer.Run, core.Catcher.Run, n.Run} {
			go func() { done <- run(ctx) }()
		}
		test(t, n)
		cancel()
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// join has a session follow a room live.
func (n *node) join(room, user string) (*session.Session, *transporttest.Conn) {
	s, conn := n.add(session.Options{ID: user, User: user, Replies: true})
	s.Start(n.Subscribe(s, room, &reader{store: n.store, room: room, user: user}, 0))
	synctest.Wait()
	return s, conn
}

func (n *node) want(c *transporttest.Conn, texts ...string) {
	n.t.Helper()
	synctest.Wait()
	if got := c.Texts(); !slices.Equal(got, texts) {
		n.t.Fatalf("got  %q\nwant %q", got, texts)
	}
}

// wantReads fails unless the store was asked so often since the last time.
func (n *node) wantReads(reads, heads, pages int) {
	n.t.Helper()
	synctest.Wait()
	if r, h, p := n.store.counts(); r != reads || h != heads || p != pages {
		n.t.Fatalf("the node read %d times and asked %d times for heads, sessions read %d pages; want %d, %d and %d", r, h, p, reads, heads, pages)
	}
	n.store.set(func() { n.store.reads, n.store.heads, n.store.pages = 0, 0, 0 })
}

var errAway = errors.New("the store is away")
