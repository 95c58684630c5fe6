package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/databases"

	"github.com/game-im/hermod/test/proxy"
)

// outageConfig has little room for what waits, and a database that is given up soon.
const outageConfig = `
data:
  log: {batch_rows: 16, queue_messages: %d}
  database: {driver: %s, dsn: %q, statement_timeout: 3s}
`

// outageQueue is how many messages may wait for a commit.
const outageQueue = 200

// throughProxy has a node on a database server that it reaches through a proxy.
func throughProxy(t *testing.T, test func(n *Node, s *databases.Server, p *proxy.Proxy)) {
	t.Helper()
	t.Parallel()
	for driver, start := range databases.Start {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			p := proxy.New(t, s.Addr())
			dsn := strings.Replace(s.Create(), s.Addr(), p.Addr, 1)
			test(Start(t, fmt.Sprintf(outageConfig, outageQueue, driver, dsn)), s, p)
		})
	}
}

// TestDatabaseKilled: while the database is gone senders are told, and all goes on when it is back.
func TestDatabaseKilled(t *testing.T) {
	throughProxy(t, func(n *Node, s *databases.Server, _ *proxy.Proxy) { outlives(n, s.Kill, s.Restart) })
}

// TestDatabaseAnswersLate is about one that answers after 30 s, which is as good as none.
func TestDatabaseAnswersLate(t *testing.T) {
	throughProxy(t, func(n *Node, _ *databases.Server, p *proxy.Proxy) {
		outlives(n, func() { p.Lag(30 * time.Second) }, p.Restore)
	})
}

// TestDatabaseOutOfReach is about a network that loses everything in silence, and afterwards knows
// nothing of the connections that there were.
func TestDatabaseOutOfReach(t *testing.T) {
	throughProxy(t, func(n *Node, _ *databases.Server, p *proxy.Proxy) { outlives(n, p.Silence, p.Restore) })
}

// TestDatabaseRefuses is about a network that resets every connection.
func TestDatabaseRefuses(t *testing.T) {
	throughProxy(t, func(n *Node, _ *databases.Server, p *proxy.Proxy) { outlives(n, p.Refuse, p.Restore) })
}

// outlives has people talk while the store is out of order, and checks what is promised for that time.
func outlives(n *Node, strike, mend func()) {
	t := n.t
	t.Helper()
	a := newAssembly(t, n, soakSeed(t))
	a.begin()
	n.eventually("messages are acknowledged", func() bool { return a.acked.Load() >= 50 || t.Failed() })
	if n.Metric("hermod_store_writable") != 1 {
		t.Error("the store is not writable before anything has happened")
	}
	strike()
	n.unready()
	refusals := a.crowdIn()
	n.unready() // still
	if n.Metric("hermod_store_writable") != 0 || n.Metric("hermod_store_failures_total", `reason="unavailable"`) == 0 {
		t.Error("no metric tells that nothing can be stored")
	}
	mend()
	n.within(2*patience, "the node is ready again", n.Ready)
	after := a.acked.Load() + 50
	n.within(2*patience, "messages are acknowledged again", func() bool { return a.acked.Load() >= after || t.Failed() })
	n.eventually("a metric tells that messages can be stored", func() bool { return n.Metric("hermod_store_writable") == 1 })
	a.end()
	t.Logf("refused meanwhile: %v", refusals)
	if !t.Failed() {
		a.check()
	}
}

// unready waits until /readyz says that the store is at fault.
func (n *Node) unready() {
	n.t.Helper()
	n.eventually("the node says that its store is out of order", func() bool { return strings.HasPrefix(n.readiness(), "not ready: store: ") })
}

func (n *Node) readiness() string {
	_, text := n.Page("/readyz")
	return text
}

// crowdIn has far more people send at once than may wait, and checks that each is refused by the node, with
// a reason and before his own deadline, and that the node grows by no more than what may wait. A disk
// may have room for some of them, who count as others that are acknowledged. It returns how often each
// reason was given.
func (a *assembly) crowdIn() map[string]int {
	n, t := a.n, a.t
	t.Helper()
	const people, sends = 40, 25 // five times what may wait
	goroutines, heap := n.Metric("go_goroutines"), n.Metric("go_memstats_heap_inuse_bytes")
	most := n.watchQueue()
	reasons := map[string]int{}
	var mu sync.Mutex
	var crowd sync.WaitGroup
	for p := range people {
		s := newScribe(a.scribes[p%assemblyScribes].user, n.Calls(), 0, &a.acked, a.rooms...)
		a.crowd = append(a.crowd, s)
		for i := range sends {
			content := fmt.Sprintf("%d of the crowd says %d: %s", p, i, strings.Repeat("x", 4<<10))
			m := &saying{user: s.user, room: a.rooms[i%len(a.rooms)]}
			s.said[content] = m
			crowd.Go(func() {
				resp, err := s.im.SendMessage(within(t), &imv1.SendMessageRequest{
					UserId: m.user, RoomId: m.room, Type: text, Content: []byte(content), MessageId: fmt.Sprintf("crowd %d %d", p, i),
				})
				if err == nil {
					m.seq, m.id = resp.GetSeq(), resp.GetMessageId()
					a.acked.Add(1)
				} else if status.Code(err) != codes.Unavailable || !strings.HasPrefix(reasonOf(err), "STORE_") {
					t.Errorf("one of many is told %v, reason %q", err, reasonOf(err))
				}
				mu.Lock()
				defer mu.Unlock()
				reasons[reasonOf(err)]++
			})
		}
	}
	crowd.Wait()
	if waited := most(); waited > outageQueue {
		t.Errorf("%d messages wait; %d may", waited, outageQueue)
	}
	if now := n.Metric("go_memstats_heap_inuse_bytes"); now > heap+64<<20 {
		t.Errorf("the heap has grown from %.0f to %.0f bytes", heap, now)
	}
	n.eventually("no goroutine is left of those who were refused", func() bool {
		return n.Metric("go_goroutines") < goroutines+10*people // each has a connection
	})
	return reasons
}

// watchQueue looks how many messages wait, again and again, until the most that it has seen is asked for.
func (n *Node) watchQueue() (most func() int) {
	stop, seen := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for {
			_, page := n.Page("/metrics")
			for line := range strings.SplitSeq(page, "\n") {
				var waiting int
				if _, err := fmt.Sscanf(line, "hermod_store_queued_messages %d", &waiting); err == nil {
					most = max(most, waiting)
				}
			}
			select {
			case <-stop:
				seen <- most
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() int {
		close(stop)
		return <-seen
	}
}
