package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/databases"
)

// outageConfig has little room for what waits, and a database that is given up soon.
const outageConfig = `
data:
  log: {batch_rows: 16, queue_messages: %d}
  database: {driver: %s, dsn: %q, statement_timeout: 1s}
`

// outageQueue is how many messages may wait for a commit.
const outageQueue = 200

// throughProxy has a node on a database server that it reaches through a proxy.
func throughProxy(t *testing.T, test func(n *Node, s *databases.Server, p *Proxy)) {
	t.Helper()
	t.Parallel()
	for driver, start := range databases.Start {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			p := NewProxy(t, s.Addr())
			dsn := strings.Replace(s.Create(), s.Addr(), p.Addr, 1)
			test(Start(t, fmt.Sprintf(outageConfig, outageQueue, driver, dsn)), s, p)
		})
	}
}

// TestDatabaseKilled: while the database is gone senders are told, and all goes on when it is back.
func TestDatabaseKilled(t *testing.T) {
	throughProxy(t, func(n *Node, s *databases.Server, _ *Proxy) { outlives(n, s.Kill, s.Restart) })
}

// TestDatabaseAnswersLate is about one that answers after 30 s, which is as good as none.
func TestDatabaseAnswersLate(t *testing.T) {
	throughProxy(t, func(n *Node, _ *databases.Server, p *Proxy) {
		outlives(n, func() { p.Lag(30 * time.Second) }, p.Restore)
	})
}

// TestDatabaseOutOfReach is about a network that loses everything in silence, and afterwards knows
// nothing of the connections that there were.
func TestDatabaseOutOfReach(t *testing.T) {
	throughProxy(t, func(n *Node, _ *databases.Server, p *Proxy) { outlives(n, p.Silence, p.Restore) })
}

// TestDatabaseRefuses is about a network that resets every connection.
func TestDatabaseRefuses(t *testing.T) {
	throughProxy(t, func(n *Node, _ *databases.Server, p *Proxy) { outlives(n, p.Refuse, p.Restore) })
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
	refusals := n.crowdIn(a.rooms[0])
	n.stillUnready()
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

func (n *Node) stillUnready() {
	n.t.Helper()
	if text := n.readiness(); !strings.HasPrefix(text, "not ready: store: ") {
		n.t.Errorf("while the store is out of order, /readyz says %q", text)
	}
}

func (n *Node) readiness() string {
	_, text := n.get("/readyz")
	return text
}

// crowdIn has far more people send at once than may wait, into a room of which they are members already, and
// checks that each is refused by the node, with a reason and before his own deadline, and that the
// node grows by no more than what may wait. It returns how often each reason was given.
func (n *Node) crowdIn(room string) map[string]int {
	t := n.t
	t.Helper()
	const people, sends = 40, 25 // five times what may wait
	content := []byte(strings.Repeat("x", 4<<10))
	goroutines, heap := n.Metric("go_goroutines"), n.Metric("go_memstats_heap_inuse_bytes")
	var mu sync.Mutex
	reasons := map[string]int{}
	var most atomic.Int64
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	var watch, crowd sync.WaitGroup
	watch.Go(func() {
		for watching.Err() == nil {
			most.Store(max(most.Load(), int64(n.Metric("hermod_store_queued_messages"))))
			doze(watching, 10*time.Millisecond)
		}
	})
	for p := range people {
		im := n.Calls()
		for s := range sends {
			crowd.Go(func() {
				_, err := im.SendMessage(within(t), &imv1.SendMessageRequest{
					UserId: fmt.Sprintf("scribe %d", p%assemblyScribes), RoomId: room, Type: text, Content: content,
					MessageId: fmt.Sprintf("crowd %d %d", p, s),
				})
				mu.Lock()
				defer mu.Unlock()
				reasons[reasonOf(err)]++
				if status.Code(err) != codes.Unavailable || !strings.HasPrefix(reasonOf(err), "STORE_") {
					t.Errorf("one of many is told %v, reason %q", err, reasonOf(err))
				}
			})
		}
	}
	crowd.Wait()
	stop()
	watch.Wait()
	if most.Load() > outageQueue {
		t.Errorf("%d messages wait; %d may", most.Load(), outageQueue)
	}
	if now := n.Metric("go_memstats_heap_inuse_bytes"); now > heap+64<<20 {
		t.Errorf("the heap has grown from %.0f to %.0f bytes", heap, now)
	}
	n.eventually("no goroutine is left of those who were refused", func() bool {
		return n.Metric("go_goroutines") < goroutines+10*people // each has a connection
	})
	return reasons
}
