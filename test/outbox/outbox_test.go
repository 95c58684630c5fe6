package outbox

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/outbox"
	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/process"
)

func TestOutboxDeliversWhatCommits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *scene) {
		s.join("hall", "ann")
		s.relay(outbox.Options{})
		push := outbox.Push{To: upstream.OpenID("bob"), Notification: upstream.Notification{MsgType: "mail"}}
		s.commit(1, text("hall", "ann", "one"), text("hall", "ann", "two"), push)
		err := order(s.db, s.box, 2, errRolledBack, text("hall", "ann", "never"), push)
		if !errors.Is(err, errRolledBack) {
			t.Fatal(err)
		}
		s.commit(3, text("hall", "ann", "three"), outbox.Message{UserID: "ann", ToUserID: "bob", Content: []byte("psst")})
		s.await("hall", "ann", "one", "two", "three")
		s.empty()
		if kept := s.kept("bob"); kept != 1 {
			t.Errorf("%d pushes are kept for bob; want that of the transaction that committed", kept)
		}
	})
}

// A relay that polls once an hour delivers what is committed in its process.
func TestOutboxWakesOnCommit(t *testing.T) {
	t.Parallel()
	onEach(t, func(_ *testing.T, s *scene) {
		s.join("hall", "ann")
		s.relay(outbox.Options{Poll: time.Hour})
		var want []string
		for n := range 5 {
			want = append(want, strconv.Itoa(n))
			s.commit(n, text("hall", "ann", want[n]))
			s.await("hall", "ann", want...)
		}
	})
}

// The service is killed while it takes orders, also between an answer of Hermod and the note of it. What was committed
// is in the log once and in order, and nothing else is.
func TestOutboxSurvivesKill(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *scene) {
		s.join("shop", "seller")
		for round := range 4 {
			if round%2 == 0 {
				s.service(envCrash + "=" + strconv.Itoa(1+rand.IntN(20))).ends()
			} else {
				s.service().killedAfter(10 + rand.IntN(30))
			}
		}
		if err := s.service(envDrain + "=1").ends(); err != nil {
			t.Fatal("the last one does not drain the box:", err)
		}
		var orders []string
		if err := s.db.Raw(`SELECT n FROM orders ORDER BY n`).Scan(&orders).Error; err != nil {
			t.Fatal(err)
		}
		if said := s.said("shop", "seller"); !slices.Equal(said, orders) {
			t.Errorf("the log has\n%v\nand these were committed:\n%v", said, orders)
		}
		if kept := s.kept("buyer"); kept != len(orders) {
			t.Errorf("%d pushes are kept for %d orders", kept, len(orders))
		}
	})
}

// running is a process of the service.
type running struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func (s *scene) service(env ...string) *running {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDriver+"="+s.driver, envDSN+"="+s.dsn, envIM+"="+s.node.IM, envGateway+"="+s.node.Gateway)
	cmd.Env, cmd.Stderr = append(cmd.Env, env...), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return &running{t: s.t, cmd: cmd, lines: bufio.NewScanner(out)}
}

// ends waits until the process has ended by itself.
func (r *running) ends() error {
	for r.lines.Scan() { // until its output ends
	}
	return r.cmd.Wait()
}

// killedAfter kills the process when it has committed so many orders.
func (r *running) killedAfter(orders int) {
	r.t.Helper()
	for range orders {
		if !r.lines.Scan() {
			r.t.Fatal("the service has ended by itself")
		}
	}
	if err := r.cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	_ = r.ends() // it was killed
}

// Many writers and two relays: every room has its messages once, each writer's in his order.
func TestOutboxRelaysShareTheWork(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *scene) {
		const rooms, orders = 6, 30
		s.relay(outbox.Options{Poll: 10 * time.Millisecond})
		if s.driver != "sqlite" { // which is one process with one relay, by its documentation
			second := *s
			db, err := open(s.driver, s.dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if pool, err := db.DB(); err != nil || pool.Close() != nil {
					t.Error("the database is not closed", err)
				}
			})
			second.box = outbox.New(db)
			second.relay(outbox.Options{Poll: 10 * time.Millisecond})
		}
		var writers sync.WaitGroup
		for room := range rooms {
			name := fmt.Sprint("room ", room)
			s.join(name, "ann")
			writers.Go(func() {
				for n := range orders {
					if err := order(s.db, s.box, room*orders+n, nil, text(name, "ann", strconv.Itoa(n))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		s.empty()
		want := make([]string, orders)
		for n := range want {
			want[n] = strconv.Itoa(n)
		}
		for room := range rooms {
			s.await(fmt.Sprint("room ", room), "ann", want...)
		}
	})
}

// What is added while the node is down is delivered when it is back, in order.
func TestOutboxWaitsForTheNode(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *scene) {
		s.join("hall", "ann")
		relay, stop := s.relay(outbox.Options{MaxBackoff: 200 * time.Millisecond, CallTimeout: 2 * time.Second})
		s.commit(0, text("hall", "ann", "0"))
		s.await("hall", "ann", "0")
		s.node.Kill()
		want := []string{"0"}
		for n := 1; n < 100; n++ {
			want = append(want, strconv.Itoa(n))
			s.commit(n, text("hall", "ann", want[n]), outbox.Push{To: upstream.OpenID("bob"), Notification: upstream.Notification{MsgType: "mail"}})
		}
		process.Eventually(t, process.Patience, "it was tried", func() bool { return relay.Stats().Retried > 2 })
		s.node.Boot()
		s.await("hall", "ann", want...)
		s.empty()
		if kept := s.kept("bob"); kept != 99 {
			t.Errorf("%d pushes are kept; want 99", kept)
		}
		stop()
		if stats := relay.Stats(); stats.Sent != 199 || stats.Parked != 0 || stats.InHand != 0 {
			t.Errorf("stats are %+v; want 199 sent, none parked and none in hand", stats)
		}
	})
}

// What Hermod refuses holds nobody up: it is parked with Hermod's reason, and can be tried again or discarded.
func TestOutboxParksWhatIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *scene) {
		s.join("hall", "ann")
		relay, _ := s.relay(outbox.Options{})
		s.commit(1, text("hall", "eve", "let me in"), text("hall", "ann", "one"), text("hall", "eve", "please"),
			outbox.Push{To: upstream.Session("gone"), Notification: upstream.Notification{MsgType: "mail"}})
		s.await("hall", "ann", "one")
		s.empty()
		if missed := relay.Stats().Missed; missed != 1 {
			t.Errorf("%d pushes were missed; want that to a session which is not there", missed)
		}
		parked, err := s.box.Parked(t.Context(), 0, 10)
		if err != nil || len(parked) != 2 {
			t.Fatalf("parked is %v, error %v; want two", parked, err)
		}
		for i, want := range []string{"let me in", "please"} {
			m, ok := parked[i].Item.(outbox.Message)
			if !ok || string(m.Content) != want || parked[i].Reason != "NOT_A_MEMBER" || parked[i].Detail == "" {
				t.Errorf("parked[%d] is %+v; want %q, NOT_A_MEMBER", i, parked[i], want)
			}
		}
		if n, err := s.box.Discard(t.Context(), parked[0].Row); n != 1 || err != nil {
			t.Errorf("discarded %d, error %v; want 1", n, err)
		}
		s.join("hall", "eve")
		if n, err := s.box.Retry(t.Context(), parked[0].Row, parked[1].Row); n != 1 || err != nil {
			t.Errorf("%d are retried, error %v; want the one that is left", n, err)
		}
		s.await("hall", "eve", "please")
		s.empty()
		if backlog, err := s.box.Backlog(t.Context()); err != nil || backlog != (outbox.Backlog{}) {
			t.Errorf("the backlog is %+v, error %v; want none", backlog, err)
		}
	})
}
