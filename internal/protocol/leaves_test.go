package protocol_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
)

// register is who is in which room, in memory, and how often a room was looked through.
type register struct {
	mu      sync.Mutex
	version int64
	in      map[biz.UserID]bool
	looks   int
	fail    error
}

func (r *register) leave(user biz.UserID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.in, user)
	r.version++
}

func (r *register) set(fail error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

func (r *register) looked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.looks
}

// Heads implements biz.WatchRepo.
func (r *register) Heads(_ context.Context, rooms []biz.RoomID) (map[biz.RoomID]biz.RoomHead, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	heads := map[biz.RoomID]biz.RoomHead{}
	for _, room := range rooms {
		heads[room] = biz.RoomHead{Version: r.version}
	}
	return heads, r.fail
}

// Absent implements biz.WatchRepo.
func (r *register) Absent(_ context.Context, _ biz.RoomID, users []biz.UserID) ([]biz.UserID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	return slices.DeleteFunc(slices.Clone(users), func(u biz.UserID) bool { return r.in[u] }), r.fail
}

// TestALeaveThatWasNotHeardOf: whoever left a room on another node, and whose node did not hear of it, is off the
// room within a moment after an outage, and within two minutes if nobody noticed one. Rooms that are as they were
// are not looked through again.
func TestALeaveThatWasNotHeardOf(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		r := &register{in: map[biz.UserID]bool{"alice": true, "bob": true, "carol": true}}
		n := f.nodes[0]
		l := protocol.NewLeaves(n.Node, biz.NewWatch(r), slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		follows := func(user string) *recorded {
			s := f.member(t, 0, user)
			n.Subscribe(s.Session, protocol.RoomChannel("r"), nil, 0)
			return s
		}
		alice, bob, carol := follows("alice"), follows("bob"), follows("carol")
		on := func(what string, want ...bool) {
			t.Helper()
			synctest.Wait()
			for i, s := range []*recorded{alice, bob, carol} {
				if got := len(s.Channels()) == 1; got != want[i] {
					t.Errorf("%s: session %d follows the room: %v", what, i, got)
				}
			}
		}
		time.Sleep(2 * time.Minute)
		on("at first", true, true, true)
		before := r.looked()

		r.leave("bob")
		f.network.Cut()
		time.Sleep(time.Second)
		f.network.Heal()
		time.Sleep(10 * time.Second)
		on("after an outage", true, false, true)
		if got := r.looked(); got != before+1 {
			t.Errorf("the room was looked through %d times for one change", got-before)
		}

		r.leave("carol")
		r.set(errors.New("away"))
		time.Sleep(2 * time.Minute)
		on("without a store", true, false, true)
		r.set(nil)
		time.Sleep(5 * time.Second)
		on("when it is back", true, false, false)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
