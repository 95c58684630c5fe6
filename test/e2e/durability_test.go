package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/test/databases"
)

// killRounds is how often a node is killed: HERMOD_TEST_KILLS says so, and otherwise it is few times.
func killRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("HERMOD_TEST_KILLS")
	if text == "" {
		return 3 // every kind of blow once
	}
	rounds, err := strconv.Atoi(text)
	if err != nil || rounds < 1 {
		t.Fatalf("HERMOD_TEST_KILLS=%q is no number of rounds", text)
	}
	return rounds
}

// TestA1DurableAckSurvivesKill kills the node again and again while people talk in several rooms. Every
// acknowledged message is in its room's log once, without holes, what was given up is there at most once,
// and everybody was given the same, once and in the same order.
func TestA1DurableAckSurvivesKill(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	durability(t, n, []func(){func() { n.Kill(); n.Boot() }})
}

// TestA1DurableAckSurvivesKillOnServers does it with a store that is a server, which is killed as well:
// with the node, or without it, and then the node has to recover by itself.
func TestA1DurableAckSurvivesKillOnServers(t *testing.T) {
	t.Parallel()
	for driver, start := range databases.Start {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			n := Start(t, fmt.Sprintf("data: {database: {driver: %s, dsn: %q}}", driver, s.Create()))
			durability(t, n, []func(){
				func() { n.Kill(); n.Boot() },
				func() {
					s.Kill()
					n.eventually("the node says that its store is gone", func() bool { return !n.Ready() })
					s.Restart()
					n.eventually("the node is ready again", n.Ready)
				},
				func() { s.Kill(); n.Kill(); s.Restart(); n.Boot() },
			})
		})
	}
}

// durability has blows struck in turn, at any moment, while people talk.
func durability(t *testing.T, n *Node, blows []func()) {
	t.Helper()
	seed := soakSeed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	a := newAssembly(t, n, seed)
	a.begin()
	for round := range killRounds(t) {
		enough := a.acked.Load() + 100 + rng.Int64N(400)
		n.within(2*patience, "messages are acknowledged", func() bool { return a.acked.Load() >= enough || t.Failed() })
		time.Sleep(time.Duration(rng.Int64N(int64(5 * time.Millisecond)))) // anywhere between two commits
		blows[round%len(blows)]()
	}
	after := a.acked.Load() + 100
	n.within(2*patience, "messages are acknowledged after the last blow", func() bool { return a.acked.Load() >= after || t.Failed() })
	a.end()
	if !t.Failed() {
		a.check()
	}
}

// assembly is people who talk in some rooms, and listen there.
type assembly struct {
	t       *testing.T
	n       *Node
	rooms   []string
	scribes []*scribe
	crowd   []*scribe // who were there for once
	hearers []*hearer

	acked   atomic.Int64
	stop    chan struct{}
	talking sync.WaitGroup
}

const (
	assemblyRooms   = 4
	assemblyScribes = 8 // each talks in every room
	roomHearers     = 2
	lateUser        = "late" // a member from the start who has never connected
)

func newAssembly(t *testing.T, n *Node, seed uint64) *assembly {
	t.Helper()
	a := &assembly{t: t, n: n, stop: make(chan struct{})}
	im := n.Calls()
	for r := range assemblyRooms {
		room := fmt.Sprintf("room %d", r)
		a.rooms = append(a.rooms, room)
		join(t, im, room, lateUser)
		for h := range roomHearers {
			a.hearers = append(a.hearers, n.listen(fmt.Sprintf("hearer %d %d", r, h), room))
		}
	}
	for i := range assemblyScribes {
		s := newScribe(fmt.Sprintf("scribe %d", i), n.Calls(), seed, &a.acked, a.rooms...)
		for _, room := range a.rooms {
			join(t, im, room, s.user)
		}
		a.scribes = append(a.scribes, s)
	}
	return a
}

func (a *assembly) begin() {
	for _, s := range a.scribes {
		a.talking.Go(func() {
			if err := s.run(a.t.Context(), a.stop); err != nil {
				a.t.Error(err)
			}
		})
	}
}

func (a *assembly) end() {
	close(a.stop)
	a.talking.Wait()
}

// check compares the logs with what was acknowledged and with what was heard.
func (a *assembly) check() {
	a.t.Helper()
	stored, sent := 0, 0
	for _, room := range a.rooms {
		log := a.log(room)
		stored += len(log)
		for _, h := range a.hearers {
			if h.room == room {
				expectHeard(a.t, h, log)
			}
		}
	}
	for _, s := range slices.Concat(a.scribes, a.crowd) {
		sent += len(s.said)
	}
	a.t.Logf("%d messages acknowledged, %d given up, of which %d were stored", a.acked.Load(), int64(sent)-a.acked.Load(), int64(stored)-a.acked.Load())
}

// log reads a room's log and compares it with what was said there.
func (a *assembly) log(room string) []heard {
	a.t.Helper()
	said := map[string]*saying{}
	for _, s := range slices.Concat(a.scribes, a.crowd) {
		for content, m := range s.said {
			if m.room == room {
				said[content] = m
			}
		}
	}
	head := info(a.t, a.n.Calls(), room, lateUser).GetRoomInfo().GetMessageCount()
	reader := a.n.Connect(Hello{User: lateUser, Room: room})
	frames := reader.Take(int(head))
	frames = append(frames, reader.Flush()...) // none, if the head is the head
	log := make([]heard, len(frames))
	for i, f := range frames {
		log[i] = heard{f.GetSeq(), string(f.GetContent())}
	}
	for _, fault := range auditRoom(frames, said) {
		a.t.Errorf("%s: %s", room, fault)
	}
	return log
}
