package data

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

const (
	sharedRooms    = 20
	sharedSenders  = 40 // of each node
	sharedInFlight = 16 // of each sender
)

// TestTwoNodesOnOneDatabase: two nodes write to the same rooms as fast as they can, and let the same users
// in. No sender sees an error, each room is contiguous and has every message once, and the two together
// store no less than one of them alone. HERMOD_TEST_NODES=1m, which `make endure` sets, is how long; then they
// take turns, ten seconds each, so that what else the machine does strikes both.
func TestTwoNodesOnOneDatabase(t *testing.T) {
	t.Parallel()
	lasts, slice := 2*time.Second, time.Second/2
	text := os.Getenv("HERMOD_TEST_NODES")
	if text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil || lasts <= 0 {
			t.Fatalf("HERMOD_TEST_NODES=%q is no duration, such as 1m", text)
		}
		slice = min(lasts, 10*time.Second)
	}
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		nodes := newSharing(t, opts, 2)
		nodes.run(slice, 1) // to warm up
		var one, both rate
		for both.took < lasts { // each is first in turn, since the tables grow all the time
			one.add(nodes.run(slice, 1))
			both.add(nodes.run(slice, 2))
			both.add(nodes.run(slice, 2))
			one.add(nodes.run(slice, 1))
		}
		t.Logf("one node: %s; two nodes: %s; %v transactions began anew", one, both, nodes.conflicts())
		nodes.check()
		if text != "" && both.perSecond() < one.perSecond() {
			t.Errorf("two nodes store %s, one alone %s", both, one)
		}
	})
}

// rate is how many messages were stored in some time.
type rate struct {
	messages int64
	took     time.Duration
}

func (r *rate) add(other rate) { r.messages, r.took = r.messages+other.messages, r.took+other.took }

func (r rate) perSecond() float64 { return float64(r.messages) / r.took.Seconds() }

func (r rate) String() string { return fmt.Sprintf("%.0f messages/s", r.perSecond()) }

// sharing are nodes on one database.
type sharing struct {
	t      *testing.T
	dbs    []*DB
	logs   []*MessageLog
	stored atomic.Int64
	rounds int
}

func newSharing(t *testing.T, opts Options, nodes int) *sharing {
	t.Helper()
	s := &sharing{t: t, dbs: make([]*DB, nodes)}
	var opening sync.WaitGroup
	for i := range s.dbs { // at once: only one of them migrates
		opening.Go(func() { s.dbs[i] = openWith(t, opts) })
	}
	opening.Wait()
	var joining sync.WaitGroup
	for _, db := range s.dbs {
		joining.Go(func() {
			for r := range sharedRooms {
				joinRoom(t, db, benchRoom(r), "everybody")
			}
		})
		l, _ := runLog(t, db, &recorder{}, LogOptions{})
		s.logs = append(s.logs, l)
	}
	joining.Wait()
	return s
}

// run has some of the nodes write for a while.
func (s *sharing) run(lasts time.Duration, nodes int) rate {
	s.rounds++
	before, began := s.stored.Load(), time.Now()
	var running sync.WaitGroup
	for n, l := range s.logs[:nodes] {
		for i := range sharedSenders {
			user := biz.UserID(fmt.Sprintf("user-%d-%d", n, i))
			running.Go(func() { s.send(l, user, i, began.Add(lasts)) })
		}
	}
	running.Wait()
	return rate{s.stored.Load() - before, time.Since(began)}
}

// send keeps some messages on their way until a time, from room to room.
func (s *sharing) send(l *MessageLog, user biz.UserID, first int, until time.Time) {
	content := strings.Repeat("x", 128)
	free := make(chan struct{}, sharedInFlight)
	for m := 0; time.Now().Before(until); m++ {
		free <- struct{}{}
		l.Append(textDraft(benchRoom((first+m)%sharedRooms), user, fmt.Sprintf("%d %d", s.rounds, m), content), func(_ biz.Receipt, err error) {
			if err != nil {
				s.t.Errorf("%s: %v", user, err)
			}
			s.stored.Add(1)
			<-free
		})
	}
	for range cap(free) {
		free <- struct{}{}
	}
}

func (s *sharing) conflicts() (n float64) {
	for _, db := range s.dbs {
		n += counter(s.t, db.metrics.conflicts)
	}
	return n
}

// check reads every room to its end.
func (s *sharing) check() {
	s.t.Helper()
	total := int64(0)
	for r := range sharedRooms {
		all := readAll(s.t, s.logs[0], benchRoom(r))
		for i, m := range all {
			if m.Seq != int64(i+1) {
				s.t.Fatalf("room %d place %d: seq %d", r, i+1, m.Seq)
			}
		}
		total += int64(len(all))
	}
	if stored := s.stored.Load(); total != stored {
		s.t.Errorf("%d messages are in the log; %d were acknowledged", total, stored)
	}
	members, err := NewMembers(s.dbs[0]).Members(s.t.Context(), benchRoom(0), 10)
	if err != nil || len(members) != 1 {
		s.t.Errorf("members %v, %v", members, err)
	}
}
