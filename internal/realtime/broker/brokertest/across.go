package brokertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// nodeCount is how many nodes a cluster of the suite has.
const nodeCount = 3

// settle publishes from every node on a channel until all that follow it hear of all: servers of an engine
// tell each other of a subscription in their own time.
func settle(channel string, publishers, followers []*node) {
	for _, from := range publishers {
		for _, to := range followers {
			if from != to {
				to.hear(from, channel)
			}
		}
	}
	// Probes may be under way yet: behind this one there are none.
	for i, from := range publishers {
		from.publish(&frame.Publication{Channel: channel, From: "last probe", Frame: frame.New(i)})
	}
	for _, to := range followers {
		for range publishers {
			for to.next().From != "last probe" {
			}
		}
	}
}

// hear returns when something came from another node.
func (n *node) hear(from *node, channel string) {
	n.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		from.publish(&frame.Publication{Channel: channel, From: "probe", Frame: frame.New(0)})
		select {
		case p := <-n.got:
			if p.From == "probe" {
				return
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
	n.t.Fatal("two nodes do not hear each other")
}

func everyNode(t *testing.T, s Starter) {
	nodes := start(t, s, nodeCount)
	for _, n := range nodes[1:] {
		n.subscribe("a")
	}
	settle("a", nodes[:1], nodes[1:])
	nodes[0].publish(item("a", 1)) // from a node that does not follow it
	for _, n := range nodes[1:] {
		n.want("a", 1)
	}
	nodes[0].subscribe("a")
	settle("a", nodes[1:2], nodes)
	nodes[1].publish(item("a", 2))
	for _, n := range nodes {
		n.want("a", 2)
	}
}

// everyField sends everything that a publication can say to another node: all but what is of a session
// of the first.
func everyField(t *testing.T, s Starter) {
	nodes := start(t, s, 2)
	nodes[1].subscribe("a")
	settle("a", nodes[:1], nodes[1:])
	until := time.Now().Add(time.Hour)
	for _, p := range []*frame.Publication{
		{Channel: "a", Seq: 1},
		{Channel: "a", Frame: frame.New(0)},
		{Channel: "a", Seq: 2, Frame: frame.New(-2), AckRequired: true},
		{Channel: "a", Seq: 3, Frame: frame.New(3), From: "alice", Own: frame.New(4)},
		{Channel: "a", Frame: frame.NewUntil(6, until), From: "alice\x00\xff", NotToFrom: true},
	} {
		nodes[0].publish(p)
		got := nodes[1].next()
		if got, want := said(got), said(p); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if p.Frame != nil && !got.Frame.Expires().Equal(p.Frame.Expires()) {
			t.Errorf("expires %v, want %v", got.Frame.Expires(), p.Frame.Expires())
		}
	}
	nodes[0].publish(&frame.Publication{Channel: "a", Seq: 4, Origin: "session", Reply: frame.New(5)})
	nodes[0].want("a", 4)
	if got, want := said(nodes[1].next()), said(item("a", 4)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// manyNames has every node's names told apart by the engine.
func manyNames(t *testing.T, s Starter) {
	nodes := start(t, s, 2)
	names := []string{"room:a", "room:A", "room:a.b", "room:*", "room:>", "room: a", "room:ä\n", "room:{a}", "room:~a", "\xff\x00"}
	for _, name := range names {
		nodes[1].subscribe(name)
		settle(name, nodes[:1], nodes[1:])
	}
	for i, name := range names {
		nodes[0].publish(item(name, int64(i+1)))
		nodes[1].want(name, int64(i+1))
	}
}

func membership(t *testing.T, s Starter) {
	create := s(t)
	first := run(t, create())
	second := run(t, create())
	first.await(1)
	second.await(1)
	for _, m := range first.Broker.(broker.Directory).Members() {
		if string(m.Info) != "info of "+m.ID {
			t.Errorf("%s says %q of itself", m.ID, m.Info)
		}
	}
	third := run(t, create())
	for _, n := range []*node{first, second, third} {
		n.await(2)
	}
	third.end()
	first.await(1)
	second.await(1)
	if all := first.Broker.(broker.Directory).Members(); len(all) != 1 {
		t.Errorf("members: %v", all)
	}
}

// ask returns all answers to a request.
func (n *node) ask(channel, body string) (answers []string, err error) {
	err = n.Broker.(broker.Asker).Ask(n.t.Context(), channel, []byte(body), func(a broker.Answer) bool {
		answers = append(answers, string(a.Body))
		return true
	})
	slices.Sort(answers)
	return answers, err
}

func (n *node) echo(name string) {
	n.answers(func(r broker.Request) {
		r.Answer([]byte(name + " heard " + string(r.Body)))
		r.Answer([]byte("again"))
	})
}

// askChannel asks whoever follows a channel; the first answer is enough.
func askChannel(t *testing.T, s Starter) {
	nodes := start(t, s, nodeCount)
	for i, n := range nodes {
		n.echo(fmt.Sprint(i))
	}
	nodes[1].subscribe("user:42")
	settle("user:42", nodes[:1], nodes[1:2])
	for k := range 50 {
		var got string
		err := nodes[0].Broker.(broker.Asker).Ask(t.Context(), "user:42", fmt.Append(nil, k), func(a broker.Answer) bool {
			got = string(a.Body)
			return false
		})
		if want := fmt.Sprintf("1 heard %d", k); err != nil || got != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
}

// tell has every other node hear something, whose answers nobody takes for those to a request.
func tell(t *testing.T, s Starter) {
	nodes := start(t, s, nodeCount)
	heard := make(chan string, nodeCount)
	for i, n := range nodes {
		n.answers(func(r broker.Request) {
			r.Answer([]byte("nobody wants to know"))
			if string(r.Body) == "news" {
				heard <- fmt.Sprint(i)
			}
		})
	}
	nodes[0].await(nodeCount - 1)
	if err := nodes[0].Broker.(broker.Asker).Tell(broker.EveryNode, []byte("news")); err != nil {
		t.Fatal(err)
	}
	got := []string{<-heard, <-heard}
	if slices.Sort(got); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("heard by %v", got)
	}
}

func askNode(t *testing.T, s Starter) {
	nodes := start(t, s, nodeCount)
	for i, n := range nodes {
		n.echo(fmt.Sprint(i))
	}
	var target string
	nodes[0].await(2)
	for _, m := range nodes[0].Broker.(broker.Directory).Members() {
		target = m.ID
		answers, err := nodes[0].ask(broker.NodeChannel(m.ID), "you")
		if err != nil || len(answers) != 1 {
			t.Errorf("%s: %v, %v", m.ID, answers, err)
		}
	}
	_, err := nodes[0].ask(broker.NodeChannel("nobody"), "you")
	if !errors.Is(err, broker.ErrNobody) {
		t.Errorf("a node that there is not: %v", err)
	}
	// A node that leaves without an answer holds nobody up.
	for _, n := range nodes[1:] {
		n.answers(func(broker.Request) { go n.end() })
	}
	if answers, err := nodes[0].ask(broker.NodeChannel(target), "you"); !errors.Is(err, broker.ErrGone) || len(answers) > 0 {
		t.Errorf("a node that left: %v, %v", answers, err)
	}
}

func askEveryNode(t *testing.T, s Starter) {
	nodes := start(t, s, nodeCount)
	for i, n := range nodes {
		n.echo(fmt.Sprint(i))
	}
	answers, err := nodes[0].ask(broker.EveryNode, "all")
	if want := []string{"1 heard all", "2 heard all"}; err != nil || !slices.Equal(answers, want) {
		t.Errorf("%v, %v, want %v", answers, err, want)
	}
}

// askNobody is quick where nobody follows the channel.
func askNobody(t *testing.T, s Starter) {
	nodes := start(t, s, nodeCount)
	for _, n := range nodes {
		n.echo("")
	}
	nodes[0].subscribe("user:42") // the asker itself is not asked
	if answers, err := nodes[0].ask("user:42", "?"); !errors.Is(err, broker.ErrNobody) || errors.Is(err, broker.ErrGone) || len(answers) > 0 {
		t.Errorf("%v, %v", answers, err)
	}
	alone := start(t, s, 1)[0]
	answers, err := alone.ask(broker.EveryNode, "?")
	for deadline := time.Now().Add(patience); errors.Is(err, broker.ErrDown) && time.Now().Before(deadline); { // not yet connected
		time.Sleep(5 * time.Millisecond)
		answers, err = alone.ask(broker.EveryNode, "?")
	}
	if !errors.Is(err, broker.ErrNobody) || len(answers) > 0 {
		t.Errorf("%v, %v", answers, err)
	}
}

// askMute ends with the context where a node says nothing.
func askMute(t *testing.T, s Starter) {
	nodes := start(t, s, nodeCount)
	nodes[1].echo("1")
	ctx, cancel := context.WithCancel(t.Context())
	nodes[2].answers(func(broker.Request) {})
	got := 0
	err := nodes[0].Broker.(broker.Asker).Ask(ctx, broker.EveryNode, []byte("all"), func(broker.Answer) bool {
		got++
		cancel()
		return true
	})
	if !errors.Is(err, context.Canceled) || got != 1 {
		t.Errorf("%d answers, %v", got, err)
	}
}

// tooLarge: what the engine does not take goes as news of the log, or is an error.
func tooLarge(t *testing.T, s Starter) {
	nodes := start(t, s, 2)
	nodes[1].subscribe("a")
	settle("a", nodes[:1], nodes[1:])
	const most = 64 << 20
	size := 1 << 20 // NATS takes no more than a MiB as it comes
	for ; size <= most; size *= 8 {
		large := make([]byte, size)
		err := nodes[0].Publish(t.Context(), &frame.Publication{Channel: "a", Frame: frame.New(large)})
		if err != nil {
			break
		}
		if p := nodes[1].next(); p.Frame == nil || len(p.Frame.Payload().([]byte)) != size {
			t.Fatalf("%d bytes did not come whole", size)
		}
	}
	if size > most {
		t.Fatal("there is no limit")
	}
	nodes[0].publish(&frame.Publication{Channel: "a", Seq: 7, Frame: frame.New(make([]byte, size)), AckRequired: true})
	if p := nodes[1].next(); p.Seq != 7 || p.Frame != nil {
		t.Errorf("got %+v", said(p))
	}
}

// sentBeforeTheEnd: what was published before Run's context ended is sent.
func sentBeforeTheEnd(t *testing.T, s Starter) {
	const count = 1000
	nodes := start(t, s, 2)
	nodes[1].subscribe("a")
	settle("a", nodes[:1], nodes[1:])
	for seq := range int64(count) {
		nodes[0].publish(item("a", seq+1))
	}
	nodes[0].end()
	for seq := range int64(count) {
		nodes[1].want("a", seq+1)
	}
}
