package protocol_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// TestOnlineSpansNodes: users are online wherever their sessions are, through the grace window too, and a node
// that is killed takes them along.
func TestOnlineSpansNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		f.member(t, 0, "here")
		there := f.member(t, 1, "there")
		f.member(t, 2, "killed")
		online := func(want ...biz.UserID) {
			t.Helper()
			var got []biz.UserID
			d := took(func() { got = f.nodes[0].live.Online(t.Context(), []biz.UserID{"killed", "nobody", "there", "here"}) })
			if !slices.Equal(got, want) || d > time.Second {
				t.Errorf("online: %v after %v, want %v", got, d, want)
			}
		}
		online("killed", "there", "here")
		time.Sleep(time.Second)
		f.nodes[1].End(there.Session, transport.ConnLost)
		online("killed", "there", "here") // it has a second of grace
		time.Sleep(2 * time.Second)
		online("killed", "here")
		time.Sleep(time.Second)
		f.kill(2)
		online("here")
		f.network.Cut()
		time.Sleep(time.Second)
		online("here")
	})
}

// TestOnlineIsAskedTogether: a storm of questions is a few requests.
func TestOnlineIsAskedTogether(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		f.member(t, 1, "there")
		time.Sleep(100 * time.Millisecond)
		before := f.lines[0].Sent.Load()
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				users := []biz.UserID{"there", biz.UserID(fmt.Sprint("user", i%10))}
				if got := f.nodes[0].live.Online(t.Context(), users); !slices.Equal(got, users[:1]) {
					t.Errorf("online: %v", got)
				}
			})
		}
		wg.Wait()
		if n := f.lines[0].Sent.Load() - before; n > 15 { // no user is asked for twice
			t.Errorf("%d messages", n)
		}
	})
}

// TestSessionsOfAllNodes: they are listed in one order, page by page, found and closed from any node.
func TestSessionsOfAllNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		sessions := biz.NewSessions(f.nodes[0].directory)
		var ids []biz.SessionID
		var last *recorded
		for i := range 25 {
			last = f.member(t, i%3, "alice")
			ids = append(ids, biz.SessionID(last.ID))
			f.member(t, i%3, "bob")
		}
		slices.Sort(ids)
		for _, limit := range []int{1, 7, 25, 100} {
			var got []biz.SessionID
			for after := biz.SessionID(""); ; {
				page, err := sessions.List(t.Context(), biz.SessionQuery{User: "alice"}, after, limit)
				if err != nil || page.Total != 25 || page.Silent != 0 || len(page.Sessions) > limit {
					t.Fatalf("%+v, %v", page, err)
				}
				for _, s := range page.Sessions {
					got = append(got, s.ID)
				}
				if after = page.Next; after == "" {
					break
				}
			}
			if !slices.Equal(got, ids) {
				t.Errorf("pages of %d: %v, want %v", limit, got, ids)
			}
		}
		if page, _ := sessions.List(t.Context(), biz.SessionQuery{Here: true}, "", 0); page.Total != 18 {
			t.Errorf("%d sessions here", page.Total)
		}
		other := f.member(t, 2, "carol")
		info, err := sessions.Session(t.Context(), biz.SessionID(other.ID))
		if err != nil || info.User != "carol" || info.Node != "node2" || info.State != biz.StateActive {
			t.Errorf("%+v, %v", info, err)
		}
		closed, err := sessions.Close(t.Context(), biz.SessionID(other.ID), 0, "enough")
		if err != nil || closed != biz.SessionID(other.ID) || f.nodes[2].Session(other.ID) != nil {
			t.Errorf("closed %q, %v", closed, err)
		}
		_, err = sessions.Session(t.Context(), biz.SessionID(other.ID))
		if biz.KindOf(err) != biz.KindNotFound {
			t.Errorf("what was closed: %v", err)
		}
		f.kill(2)
		page, err := sessions.List(t.Context(), biz.SessionQuery{}, "", 10)
		if err != nil || page.Silent != 1 {
			t.Errorf("%d nodes are silent, %v", page.Silent, err)
		}
		if _, err := sessions.Close(t.Context(), biz.SessionID(other.ID), 0, ""); biz.KindOf(err) != biz.KindUnavailable {
			t.Errorf("on a node that is silent: %v", err)
		}
	})
}

// TestRequestsOfOthersAreBounded: a node that is asked too much says so, and goes on.
func TestRequestsOfOthersAreBounded(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		first := f.nodes[0].directory
		slow := f.member(t, 1, "alice") // closing it takes a second while its client does not read
		slow.conn.SetReading(false)
		f.nodes[1].pushTo(toSession(slow.ID), push("p"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		var mu sync.Mutex
		kinds := map[biz.Kind]int{}
		for range 1100 {
			wg.Go(func() {
				_, err := first.Close(ctx, biz.SessionID(slow.ID), 4001, "")
				mu.Lock()
				defer mu.Unlock()
				kinds[biz.KindOf(err)]++
			})
		}
		wg.Wait()
		if kinds[biz.KindUnavailable] == 0 {
			t.Errorf("nobody was refused: %v", kinds)
		}
		if page := first.Page(t.Context(), biz.SessionQuery{}, "", 10); page.Silent != 0 {
			t.Errorf("%+v", page)
		}
	})
}

// TestWhatIsNoTextReachesNoOtherNode: nodes tell each other texts, and what is none is refused before.
func TestWhatIsNoTextReachesNoOtherNode(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		const bad = "\xff"
		sessions := biz.NewSessions(f.nodes[0].directory)
		_, user := sessions.List(t.Context(), biz.SessionQuery{User: bad}, "", 0)
		_, after := sessions.List(t.Context(), biz.SessionQuery{}, bad, 0)
		_, session := sessions.Session(t.Context(), bad)
		_, closed := sessions.Close(t.Context(), bad, 0, "")
		_, reason := sessions.Close(t.Context(), "s", 0, bad)
		for what, err := range map[string]error{"user": user, "page": after, "session": session, "close": closed, "reason": reason} {
			if biz.KindOf(err) != biz.KindInvalid {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
