package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/hub"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// fate is what a broker does to one message of a room, on its way to the node under test.
type fate struct {
	After  time.Duration // since the message before was stored
	Origin string        // the session of this node that sent it; empty: it comes from another node
	Delay  time.Duration
	Lost   bool
	Again  time.Duration // it comes once more after that; 0: it does not
	Head   bool          // how far the log reaches is told as well
	Missed bool          // the broker says that something may be missing
}

var members = []string{"alice", "bob", "carol"}

func drawFates(t *rapid.T) []fate {
	milliseconds := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
	}
	fates := make([]fate, rapid.IntRange(1, 40).Draw(t, "messages"))
	for i := range fates {
		f := &fates[i]
		f.After, f.Delay = milliseconds("after", 40), milliseconds("delay", 60)
		f.Origin = rapid.SampledFrom([]string{"", "", "", "alice", "bob"}).Draw(t, "origin")
		f.Lost = f.Origin == "" && rapid.IntRange(0, 3).Draw(t, "lost") == 0
		if rapid.Bool().Draw(t, "twice") {
			f.Again = milliseconds("again", 60)
		}
		f.Head, f.Missed = rapid.IntRange(0, 5).Draw(t, "head") == 0, rapid.IntRange(0, 9).Draw(t, "missed") == 0
	}
	return fates
}

// TestA4OneOrderWhateverComes: publications of several nodes are lost, repeated, late and overtaken, and every
// session sees all messages once, in the order of the log. Who sent one has his reply to it once instead.
func TestA4OneOrderWhateverComes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fates, asksHeads := drawFates(rt), rapid.Bool().Draw(rt, "asks for heads")
		store := newStore()
		var log hub.Log = store
		if asksHeads {
			log = withHeads{store}
		}
		store.slow = time.Duration(rapid.IntRange(0, 20).Draw(rt, "slow")) * time.Millisecond
		var seen map[string][]string
		runNode(t, store, log, func(_ *testing.T, n *node) { seen = n.play(fates) })
		for user, got := range seen {
			if fault := judge(fates, user, got); fault != "" {
				rt.Fatalf("%s: %s: got %q", user, fault, got)
			}
		}
	})
}

// play stores the messages one after another and delivers them as their fates want it.
func (n *node) play(fates []fate) map[string][]string {
	conns := map[string]*transporttest.Conn{}
	for _, user := range members {
		_, conns[user] = n.join("room", user)
	}
	for _, f := range fates {
		time.Sleep(f.After)
		from := f.Origin
		if from == "" {
			from = "dave"
		}
		p := n.store.append("room", from, f.Origin)
		n.later(f.Delay, p, f.Lost)
		if f.Again > 0 {
			n.later(f.Delay+f.Again, remote(p), f.Lost)
		}
		if f.Head {
			n.later(f.Delay, head("room", p.Seq), false)
		}
		if f.Missed {
			n.Missed("room")
		}
	}
	time.Sleep(time.Second)
	n.Deliver(head("room", int64(len(fates)))) // as the broker tells after a while
	time.Sleep(time.Second)
	synctest.Wait()
	seen := map[string][]string{}
	for user, c := range conns {
		seen[user] = c.Texts()
	}
	return seen
}

func (n *node) later(d time.Duration, p *frame.Publication, lost bool) {
	if !lost {
		time.AfterFunc(d, func() { n.Deliver(p) })
	}
}

// judge returns what is wrong with what a user's session has seen.
func judge(fates []fate, user string, got []string) string {
	var messages, replies, wantMessages, wantReplies []string
	for _, text := range got {
		if strings.HasPrefix(text, "ack ") {
			replies = append(replies, text)
		} else {
			messages = append(messages, text)
		}
	}
	for i, f := range fates {
		if f.Origin == user {
			wantReplies = append(wantReplies, fmt.Sprint("ack ", i+1))
		} else {
			wantMessages = append(wantMessages, fmt.Sprint(i+1))
		}
	}
	slices.Sort(replies) // a late one is out of its place
	slices.Sort(wantReplies)
	switch {
	case !slices.Equal(messages, wantMessages):
		return "not the messages in their order, once"
	case !slices.Equal(replies, wantReplies):
		return "not every reply once"
	}
	return ""
}
