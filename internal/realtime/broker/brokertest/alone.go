package brokertest

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/realtime/frame"
)

func item(channel string, seq int64) *frame.Publication {
	return &frame.Publication{Channel: channel, Seq: seq}
}

func subscribe(t *testing.T, s Starter) {
	n := start(t, s, 1)[0]
	n.publish(item("a", 1)) // nobody is there
	n.subscribe("a")
	n.publish(item("a", 2))
	n.publish(item("b", 3)) // nobody is there either
	n.publish(item("a", 4))
	n.want("a", 2, 4)
}

func subscribeAgain(t *testing.T, s Starter) {
	n := start(t, s, 1)[0]
	n.subscribe("a")
	n.subscribe("a")
	n.publish(item("a", 1))
	n.publish(item("a", 2))
	n.want("a", 1, 2)
	n.unsubscribe("a") // once is enough
	n.publish(item("a", 3))
	n.subscribe("a")
	n.publish(item("a", 4))
	n.want("a", 4)
}

func unsubscribe(t *testing.T, s Starter) {
	n := start(t, s, 1)[0]
	n.unsubscribe("never subscribed")
	n.subscribe("a")
	n.subscribe("b")
	n.unsubscribe("a")
	n.unsubscribe("a")
	n.publish(item("a", 1))
	n.publish(item("b", 2))
	n.want("b", 2)
	n.subscribe("a")
	n.publish(item("a", 3))
	n.want("a", 3)
}

// channels uses names that an implementation might take for patterns or separators, or fold.
func channels(t *testing.T, s Starter) {
	names := []string{
		"room:a", "room:A", "room:a ", "room:a.b", "room:a.*", "room:*", "room:>", "room:?", "room:[ab]", "room:{a}",
		"room:ä", "room:a\u0308", "room:a/b", "room:a:b", "room:a\n", "room:$", "room:😀", "room:" + strings.Repeat("x", 255), "inbox:a",
	}
	n := start(t, s, 1)[0]
	for i, name := range names {
		n.subscribe(name)
		for k, other := range names {
			n.publish(item(other, int64(k+1)))
		}
		n.want(name, int64(i+1))
		n.unsubscribe(name)
	}
}

// fields sends everything that a publication can say.
func fields(t *testing.T, s Starter) {
	n := start(t, s, 1)[0]
	n.subscribe("a")
	for _, p := range []*frame.Publication{
		{Channel: "a", Seq: 1},
		{Channel: "a", Frame: frame.New(1)},
		{Channel: "a", Seq: 2, Frame: frame.New(2), AckRequired: true},
		{Channel: "a", Seq: 3, Frame: frame.New(3), From: "alice", Own: frame.New(4), Origin: "session", Reply: frame.New(5)},
		{Channel: "a", Frame: frame.New(6), From: "alice", NotToFrom: true},
	} {
		n.publish(p)
		if got, want := said(n.next()), said(p); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// said is what a publication says, without what belongs to the process.
func said(p *frame.Publication) map[string]any {
	all := map[string]any{
		"channel": p.Channel, "seq": p.Seq, "ack": p.AckRequired, "from": p.From, "not to from": p.NotToFrom, "origin": p.Origin,
	}
	for name, f := range map[string]*frame.Frame{"frame": p.Frame, "own": p.Own, "reply": p.Reply} {
		if f != nil {
			all[name] = f.Payload()
		}
	}
	return all
}

// order publishes from several goroutines: what each of them published arrives in its order.
func order(t *testing.T, s Starter) {
	const publishers, each = 8, 200
	n := start(t, s, 1)[0]
	n.subscribe("a")
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			for seq := range int64(each) {
				n.publish(&frame.Publication{Channel: "a", Seq: seq + 1, From: fmt.Sprint(i)})
			}
		})
	}
	wg.Wait()
	last := map[string]int64{}
	for range publishers * each {
		p := n.next()
		if p.Seq != last[p.From]+1 {
			t.Fatalf("%d of publisher %s after %d", p.Seq, p.From, last[p.From])
		}
		last[p.From] = p.Seq
	}
}

// origin publishes on a channel that the node does not follow: a session here waits for the reply.
func origin(t *testing.T, s Starter) {
	n := start(t, s, 1)[0]
	n.publish(&frame.Publication{Channel: "a", Seq: 1, Origin: "session", Reply: frame.New(1)})
	n.want("a", 1)
	n.subscribe("a")
	n.publish(&frame.Publication{Channel: "a", Seq: 2, Origin: "session", Reply: frame.New(2)})
	n.publish(item("a", 3))
	n.want("a", 2, 3) // 2 once
}

// churn subscribes, unsubscribes and publishes at the same time; whoever is subscribed afterwards
// gets what is published then.
func churn(t *testing.T, s Starter) {
	n := start(t, s, 1)[0]
	var wg sync.WaitGroup
	for i := range 8 {
		channel := fmt.Sprint("room:", i%4)
		wg.Go(func() {
			for range 50 {
				n.subscribe(channel)
				n.publish(item(channel, 1))
				n.unsubscribe(channel)
			}
		})
	}
	wg.Wait()
	n.subscribe("room:0")
	n.publish(item("room:0", 2))
	for p := n.next(); p.Seq != 2; p = n.next() {
	}
}

func runEnds(t *testing.T, s Starter) {
	start(t, s, 1)[0].end()
}
