package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// The bounds of the tests' clusters.
const (
	hello  = time.Second
	expiry = 4 * time.Second
	heads  = time.Second
)

// words is a codec of texts.
type words struct{}

func (words) Append(dst []byte, payload any) ([]byte, error) {
	return append(dst, payload.(string)...), nil
}
func (words) Own(any) (any, bool) { return nil, false }

func (words) Decode(b []byte) (any, error) { return string(b), nil }

// fleet is nodes with one store on one network.
type fleet struct {
	network *brokertest.Network
	log     *roomLog
	nodes   []*bench
	buses   []*brokertest.Line
}

// runFleet runs a test with nodes in a bubble of their own clock. They know each other.
func runFleet(t *testing.T, count int, test func(t *testing.T, f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{network: brokertest.NewNetwork(), log: &roomLog{received: map[string]int64{}}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, count)
		for i := range count {
			bus := f.network.Line()
			b, err := cluster.New(bus, cluster.Options{
				Self: broker.Member{ID: fmt.Sprint("node", i)}, Codec: words{}, Log: slog.New(slog.DiscardHandler),
				Hello: hello, Expiry: expiry, Heads: heads,
			})
			if err != nil {
				t.Fatal(err)
			}
			n := node.New(session.NewCore(testConfig, slog.New(slog.DiscardHandler)), b, presence.New(0))
			n.ReadFrom(f.log)
			f.nodes = append(f.nodes, &bench{n, t, f.log})
			f.buses = append(f.buses, bus)
			go func() { done <- n.Run(ctx) }()
		}
		synctest.Wait()
		test(t, f)
		cancel()
		for range count {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func (f *fleet) connect(i int, user string) (*session.Session, *transporttest.Conn) {
	return f.nodes[i].connect(session.Options{ID: "session-" + user, User: user, Replies: true}, 0)
}

// TestRoomsSpanNodes: whoever is in a room has its messages in one order, from whichever node; who sent one
// has the answer.
func TestRoomsSpanNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		alice, a := f.connect(0, "alice")
		bob, b := f.connect(1, "bob")
		_, c := f.connect(2, "carol")
		synctest.Wait()
		f.nodes[0].send("alice", alice.ID)
		synctest.Wait()
		f.nodes[1].send("bob", bob.ID)
		synctest.Wait()
		f.nodes[2].send("dave", "")
		want(t, a, "ack 1", "2", "3")
		want(t, b, "1", "ack 2", "3")
		want(t, c, "1", "2", "3")
	})
}

// found is how long after a head was told all is read that it shows to be missing.
const found = 50 * time.Millisecond

// TestA4LastMessageLost: a message that the broker loses, and nothing comes behind, is there within a tick of
// the heads and 50 ms, by one read of each node.
func TestA4LastMessageLost(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		_, b := f.connect(1, "bob")
		_, c := f.connect(1, "carol")
		time.Sleep(10 * heads)
		synctest.Wait()
		pages := f.log.pages
		f.buses[0].Mute.Store(true)
		f.nodes[0].send("alice", "")
		want(t, b)
		f.buses[0].Mute.Store(false)
		time.Sleep(heads + found)
		want(t, b, "1")
		f.buses[0].Mute.Store(true) // and so it is when what tells of it is lost too, twice
		f.nodes[0].send("alice", "")
		time.Sleep(2 * heads)
		synctest.Wait()
		f.buses[0].Mute.Store(false)
		time.Sleep(heads + found)
		want(t, b, "1", "2")
		want(t, c, "1", "2")
		if f.log.reads != 2 || f.log.pages != pages {
			t.Errorf("the node read %d times, its sessions %d", f.log.reads, f.log.pages-pages)
		}
	})
}

// TestA4MessageNeverPublished: what a node has stored when it is killed, and not told, is there once the
// node is known to be gone.
func TestA4MessageNeverPublished(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		_, b := f.connect(1, "bob")
		time.Sleep(10 * hello)
		f.buses[0].Mute.Store(true) // as if it were killed
		f.log.append("alice", "")
		time.Sleep(expiry - hello)
		want(t, b)
		time.Sleep(3 * hello)
		want(t, b, "1")
	})
}

// TestA4BrokerOutage: what was sent while the broker was away is there, in order, when it is back.
func TestA4BrokerOutage(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		_, a := f.connect(0, "alice")
		_, b := f.connect(1, "bob")
		synctest.Wait()
		f.network.Cut()
		_, c := f.connect(2, "carol") // comes in the middle of it
		for i := range 9 {
			f.nodes[i%3].send("dave", "")
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		f.network.Heal()
		all := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
		for _, conn := range []*transporttest.Conn{a, b, c} {
			want(t, conn, all...)
		}
		f.nodes[0].send("dave", "")
		for _, conn := range []*transporttest.Conn{a, b, c} {
			want(t, conn, append(all, "10")...)
		}
	})
}
