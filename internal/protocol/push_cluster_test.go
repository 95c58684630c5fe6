package protocol_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

func push(title string) *biz.Push { return &biz.Push{Title: title} }

// TestPushSpansNodes: a target is reached from any node, wherever its sessions are, and the best of them counts.
func TestPushSpansNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		alice := f.member(t, 1, "alice")
		both, other := f.member(t, 0, "both"), f.member(t, 2, "both")
		lost := f.member(t, 1, "bob")
		f.nodes[1].away(lost)
		mixed, here := f.member(t, 2, "dave"), f.member(t, 1, "dave")
		f.nodes[1].away(here)
		slow := f.member(t, 2, "carol")
		f.nodes[2].stuff(slow)
		from := f.nodes[0]
		p := push("p")
		for name, test := range map[string]struct {
			to   biz.Recipient
			p    *biz.Push
			want biz.Outcome
		}{
			"a session elsewhere":          {toSession(alice.ID), p, biz.OutcomeDelivered},
			"a session that is away":       {toSession(lost.ID), p, biz.OutcomeQueued},
			"a session that there is not":  {toSession("none.node1"), p, biz.OutcomeNotFound},
			"a session of a node gone":     {toSession("none.node9"), p, biz.OutcomeNotFound},
			"a session of nobody":          {toSession("none"), p, biz.OutcomeNotFound},
			"a user elsewhere":             {toUser("alice"), p, biz.OutcomeDelivered},
			"a user here and elsewhere":    {toUser("both"), p, biz.OutcomeDelivered},
			"a user who is away":           {toUser("bob"), p, biz.OutcomeQueued},
			"a user who is away, stored":   {toUser("bob"), &biz.Push{StoreOffline: true}, biz.OutcomeOffline},
			"a user with a full queue":     {toUser("carol"), p, biz.OutcomeSlow},
			"a user, the best of sessions": {toUser("dave"), p, biz.OutcomeDelivered},
			"a user without a session":     {toUser("eve"), p, biz.OutcomeOffline},
			"an unknown gid":               {toGID(8), p, biz.OutcomeOffline},
		} {
			var got biz.Offered
			if d := took(func() { got = from.push.Push(t.Context(), test.to, test.p) }); d > 250*time.Millisecond {
				t.Errorf("%s took %v", name, d)
			}
			if got != offered(test.want) {
				t.Errorf("%s: %v, want %v", name, got, test.want)
			}
		}
		want(t, alice, "push p", "push p")
		want(t, both, "push p")
		want(t, other, "push p")
		want(t, mixed, "push p")
	})
}

// TestAPushDoesNotWaitForTheOthers: what cannot get better is answered at once, also when how many were asked
// is not known and one of them is silent.
func TestAPushDoesNotWaitForTheOthers(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		f.member(t, 0, "here")
		f.member(t, 1, "there")
		f.member(t, 2, "there")
		f.member(t, 2, "here")
		f.kill(2)
		for _, user := range []string{"here", "there"} {
			var got biz.Offered
			if d := took(func() { got = f.nodes[0].push.Push(t.Context(), toUser(user), push("p")) }); d > 0 || got.Outcome != biz.OutcomeDelivered {
				t.Errorf("%s: %v after %v", user, got, d)
			}
		}
	})
}

// TestA8UnknownWhenANodeIsSilent: whoever might have had the session, and does not say so in time, leaves the
// outcome unknown, and no longer than the bound.
func TestA8UnknownWhenANodeIsSilent(t *testing.T) {
	for name, to := range map[string]func(*recorded) biz.Recipient{
		"user":    func(*recorded) biz.Recipient { return toUser("alice") },
		"gid":     func(*recorded) biz.Recipient { return toGID(7) },
		"session": func(r *recorded) biz.Recipient { return toSession(r.ID) },
		"anybody": func(*recorded) biz.Recipient { return toSession("x") },
	} {
		t.Run(name, func(t *testing.T) {
			runFleet(t, 3, func(t *testing.T, f *fleet) {
				r := f.member(t, 2, "alice")
				time.Sleep(10 * time.Second)
				f.kill(2)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if got := f.nodes[0].push.Await(ctx, []biz.Recipient{to(r)}, push("p"))[0].Wait(ctx); got.Outcome != biz.OutcomeUnknown || got.Why == "" {
					t.Errorf("awaited: %+v", got)
				}
				var got biz.Offered
				d := took(func() { got = f.nodes[0].push.Push(t.Context(), to(r), push("p")) })
				if got.Outcome != biz.OutcomeUnknown || !strings.Contains(got.Why, "did not answer") || d > 2*time.Second {
					t.Errorf("%+v after %v", got, d)
				}
				time.Sleep(5 * time.Second) // the others know that it is gone
				if got := f.nodes[0].push.Push(t.Context(), toSession(r.ID), push("p")); got != offered(biz.OutcomeNotFound) {
					t.Errorf("once it is gone: %v", got)
				}
			})
		})
	}
}

// TestPushWhileTheOthersAreOutOfReach says so, and what is here is reached.
func TestPushWhileTheOthersAreOutOfReach(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		f.member(t, 0, "here")
		lost := f.member(t, 0, "away")
		f.nodes[0].away(lost)
		f.network.Cut()
		const down = "the other nodes are out of reach"
		for user, want := range map[string]biz.Offered{
			"here": offered(biz.OutcomeDelivered), "away": offered(biz.OutcomeQueued), "nobody": {Outcome: biz.OutcomeUnknown, Why: down},
		} {
			if got := f.nodes[0].push.Push(t.Context(), toUser(user), push("p")); got != want {
				t.Errorf("%s: %+v, want %+v", user, got, want)
			}
			if got := f.nodes[0].push.Batch(t.Context(), []biz.Recipient{toUser(user), toUser("x")}, push("p")); got[0] != want {
				t.Errorf("%s in a batch: %+v, want %+v", user, got[0], want)
			}
		}
		counts := f.nodes[0].push.Broadcast(t.Context(), push("p"))
		if counts != (biz.BroadcastCounts{Sent: 1, Queued: 1, Total: 2, Silent: 1}) {
			t.Errorf("a broadcast: %+v", counts)
		}
	})
}

// TestASessionThatHasMovedIsFound: its id names the node that made it, and all are asked when that has it no more.
func TestASessionThatHasMovedIsFound(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		moved := f.nodes[2].connect(session.Options{ID: "id.node1", User: "alice"})
		own := f.nodes[2].connect(session.Options{ID: "id.node0", User: "alice"})
		synctest.Wait()
		for _, r := range []*recorded{moved, own} {
			if got := f.nodes[0].push.Push(t.Context(), toSession(r.ID), push("p")); got != offered(biz.OutcomeDelivered) {
				t.Errorf("%s: %+v", r.ID, got)
			}
			want(t, r, "push p")
		}
	})
}

// TestBatchIsAFewMessages: 10,000 targets on three nodes are not as many messages, and each has its outcome.
func TestBatchIsAFewMessages(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		const count = 10_000
		to := make([]biz.Recipient, count)
		for i := range to {
			to[i] = toUser(fmt.Sprint("user", i))
			if i%2 == 0 {
				f.nodes[i%3].connect(session.Options{ID: fmt.Sprint("s", i), User: to[i].ID})
			}
		}
		to[1] = toSession("s4")
		time.Sleep(time.Second)
		var before int64
		for _, l := range f.lines {
			before += l.Sent.Load()
		}
		got := f.nodes[0].push.Batch(t.Context(), to, push("p"))
		synctest.Wait()
		for i, o := range got {
			want := biz.OutcomeOffline
			if i%2 == 0 || i == 1 {
				want = biz.OutcomeDelivered
			}
			if o != offered(want) {
				t.Fatalf("target %d: %v, want %v", i, o, want)
			}
		}
		var sent int64
		for _, l := range f.lines {
			sent += l.Sent.Load()
		}
		if sent -= before; sent > 60 {
			t.Errorf("%d messages", sent)
		}
	})
}

// TestAwaitedPushSpansNodes: an acknowledgement anywhere ends the wait.
func TestAwaitedPushSpansNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		there, silent := f.member(t, 1, "alice"), f.member(t, 0, "alice")
		quiet := f.member(t, 2, "quiet")
		gone := f.member(t, 1, "gone")
		lost := f.member(t, 1, "bob")
		f.nodes[1].away(lost)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		waits := f.nodes[0].push.Await(ctx, []biz.Recipient{toUser("alice")}, push("1"))
		time.AfterFunc(time.Second, func() { there.AckLink(1) })
		if got := waits[0].Wait(ctx); got != offered(biz.OutcomeDelivered) || time.Since(begun) > time.Second {
			t.Errorf("acknowledged elsewhere: %+v after %v", got, time.Since(begun))
		}
		want(t, silent, "push 1")

		begun = time.Now()
		to := []biz.Recipient{toUser("quiet"), toSession(lost.ID), toUser("gone"), toUser("nobody"), toSession("none")}
		waits = f.nodes[0].push.Await(ctx, to, push("2"))
		time.AfterFunc(time.Second, func() { f.nodes[1].End(gone.Session, transport.Ended) })
		want(t, quiet, "push 2")
		got := make([]biz.Outcome, len(to))
		for i, w := range waits {
			got[i] = w.Wait(ctx).Outcome
		}
		if want := []biz.Outcome{biz.OutcomeQueued, biz.OutcomeQueued, biz.OutcomeUnknown, biz.OutcomeOffline, biz.OutcomeNotFound}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if ctx.Err() == nil {
			t.Errorf("nobody has waited for the one that is silent: %v", time.Since(begun))
		}
	})
}

// TestNobodyIsWaitedForInVain: when the asker gives up, so do the others.
func TestNobodyIsWaitedForInVain(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		f.member(t, 1, "alice")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		w := f.nodes[0].push.Await(ctx, []biz.Recipient{toUser("alice")}, push("p"))[0]
		synctest.Wait()
		if n := f.nodes[1].push.Waiting(); n != 1 {
			t.Errorf("%d offers wait", n)
		}
		cancel()
		if got := w.Wait(ctx); got.Outcome != biz.OutcomeUnknown {
			t.Errorf("%+v", got)
		}
		synctest.Wait()
		if n := f.nodes[1].push.Waiting(); n != 0 {
			t.Errorf("%d offers wait still", n)
		}
	})
}

// TestA8AcrossNodes pushes from two of three nodes, the third of which is killed: every target has exactly
// one outcome, and nobody whose session lives is told to be offline.
func TestA8AcrossNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		const users, rounds = 30, 60
		sessions, killed := map[string]*recorded{}, map[string]bool{}
		for i := range users {
			user := fmt.Sprint("user", i)
			sessions[user], killed[user] = f.member(t, i%3, user), i%3 == 2
			if i%5 == 0 {
				f.nodes[i%3].away(sessions[user])
			}
		}
		var mu sync.Mutex
		counts := map[biz.Outcome]int{}
		var wg sync.WaitGroup
		for _, n := range f.nodes[:2] {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(1, 2))
				for range rounds {
					to := make([]biz.Recipient, 1+r.IntN(4))
					for i := range to {
						to[i] = toUser(fmt.Sprint("user", r.IntN(users+3)))
						if s := sessions[to[i].ID]; s != nil && r.IntN(2) == 0 {
							to[i] = toSession(s.ID)
						}
					}
					got := n.push.Batch(t.Context(), to, push("p"))
					mu.Lock()
					for i, o := range got {
						counts[o.Outcome]++
						if here := sessions[to[i].ID] != nil && !killed[to[i].ID]; here && o.Outcome == biz.OutcomeOffline {
							t.Errorf("%v was told to be offline", to[i])
						}
					}
					counts[255] += len(to)
					mu.Unlock()
					time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		f.kill(2)
		wg.Wait()
		sum := 0
		for o, n := range counts {
			if o != 255 {
				sum += n
			}
		}
		if sum != counts[255] || counts[biz.OutcomeUnknown] == 0 || counts[biz.OutcomeDelivered] == 0 {
			t.Errorf("%v", counts)
		}
	})
}

// TestA8QueuedHasOneEndOverNodes: a target that was answered queued is counted once more, wherever it waits.
func TestA8QueuedHasOneEndOverNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		for i := range f.nodes {
			f.nodes[i].away(f.member(t, i, "alice")) // three sessions, all away
		}
		lost := f.member(t, 2, "bob")
		f.nodes[2].away(lost)
		queued := 0
		count := func(out ...biz.Offered) {
			for _, o := range out {
				if o.Outcome == biz.OutcomeQueued {
					queued++
				}
			}
		}
		to := []biz.Recipient{toUser("alice"), toUser("bob"), toSession(lost.ID), toUser("nobody")}
		for _, n := range f.nodes {
			for _, r := range to {
				count(n.push.Push(t.Context(), r, push("1")))
			}
			count(n.push.Batch(t.Context(), to, push("2"))...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			for _, w := range n.push.Await(ctx, to, push("3")) {
				o := w.Wait(ctx)
				if o.Outcome == biz.OutcomeQueued {
					w.Leave()
				}
				count(o)
			}
			cancel()
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute) // the sessions end
		synctest.Wait()
		ends := 0.0
		for _, n := range f.nodes {
			ends += n.settled(t)
		}
		if want := 3 * 3 * 3; queued != want || int(ends) != want {
			t.Errorf("%d were queued, and %v have an end; want %d", queued, ends, want)
		}
	})
}
