package protocol_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

func toSession(id string) biz.Recipient { return biz.Recipient{Kind: biz.TargetSession, ID: id} }

func toUser(id string) biz.Recipient { return biz.Recipient{Kind: biz.TargetUser, ID: id} }

func toGID(gid int64) biz.Recipient { return biz.Recipient{Kind: biz.TargetGID, GID: gid} }

func TestPushOutcomes(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		here := b.member("here", "alice")
		lost := b.member("lost", "bob")
		b.away(lost)
		slow := b.member("slow", "carol")
		b.stuff(slow)
		both := b.member("both-1", "dave")
		b.away(both)
		b.member("both-2", "dave")

		p := &biz.Push{Title: "p"}
		for name, test := range map[string]struct{ got, want biz.Outcome }{
			"a session":                    {b.pushTo(toSession("here"), p), biz.OutcomeDelivered},
			"a session that is away":       {b.pushTo(toSession("lost"), p), biz.OutcomeQueued},
			"an unknown session":           {b.pushTo(toSession("none"), p), biz.OutcomeNotFound},
			"a session with a full queue":  {b.pushTo(toSession("slow"), p), biz.OutcomeSlow},
			"a user":                       {b.pushTo(toUser("alice"), p), biz.OutcomeDelivered},
			"a user who is away":           {b.pushTo(toUser("bob"), p), biz.OutcomeQueued},
			"a user who is away, stored":   {b.pushTo(toUser("bob"), &biz.Push{Title: "p", StoreOffline: true}), biz.OutcomeOffline},
			"a user without a session":     {b.pushTo(toUser("eve"), p), biz.OutcomeOffline},
			"a user, the best of sessions": {b.pushTo(toUser("dave"), p), biz.OutcomeDelivered},
			"a gid":                        {b.pushTo(toGID(7), p), biz.OutcomeDelivered},
			"an unknown gid":               {b.pushTo(toGID(8), p), biz.OutcomeOffline},
			"no gid":                       {b.pushTo(toGID(0), p), biz.OutcomeOffline},
		} {
			if test.got != test.want {
				t.Errorf("%s: %v, want %v", name, test.got, test.want)
			}
		}
		want(t, here, "push p", "push p", "push p")
	})
}

func TestBroadcastReachesWhoIsConnected(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		a, c := b.member("1", "alice"), b.member("2", "carol")
		lost := b.member("3", "bob")
		b.away(lost)
		if got := b.push.Broadcast(t.Context(), &biz.Push{Title: "at once"}); got != (biz.BroadcastCounts{Sent: 2, Queued: 1, Total: 3}) {
			t.Errorf("at once: %+v", got)
		}
		all := b.push.Audience(t.Context(), &biz.Push{Title: "all"})
		if got := all.Next(t.Context(), all.Len()); got != (biz.BroadcastCounts{Sent: 2, Queued: 1, Total: 3}) || all.Len() != 0 {
			t.Errorf("%+v, and %d are left", got, all.Len())
		}
		want(t, a, "push at once", "push all")
		want(t, c, "push at once", "push all")
	})
}

// TestAPushIsPreparedOnce: targets of a batch share one encoded frame.
func TestAPushIsPreparedOnce(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		alice := b.member("1", "alice")
		first := frame.New(&biz.Push{Title: "first"})
		p := &biz.Push{Title: "p", Prepared: &biz.Prepared{}}
		p.Prepared.Of(func() any { return first })
		for range 2 {
			b.pushTo(toUser("alice"), p)
			b.push.Audience(t.Context(), p).Next(t.Context(), 1)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { b.pushTo(toSession("1"), p) })
		}
		wg.Wait()
		want(t, alice, slices.Repeat([]string{"push first"}, 8)...)
	})
}

// kept is an inbox that fills while it is followed.
type kept struct {
	mu    sync.Mutex
	items []session.Entry
}

func (k *kept) Page(context.Context, int64, int) ([]session.Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	page := k.items
	k.items = nil
	return page, nil
}

func (*kept) Received(int64) {}

func TestAnInboxThatGrewIsRead(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		inbox := &kept{}
		r := b.connect(session.Options{ID: "1", User: "alice"})
		b.Subscribe(r.Session, protocol.InboxChannel("alice"), inbox, 0)
		want(t, r)
		inbox.items = []session.Entry{{Seq: 1, Frame: frame.New(&biz.Push{Title: "kept"})}}
		want(t, r)
		b.push.InboxGrew("alice", 1)
		want(t, r, "push kept")
		b.push.InboxGrew("nobody", 1)
	})
}

// TestAwaitedPushOutcomes: delivered means acknowledged to whoever waits, and nothing less.
func TestAwaitedPushOutcomes(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		here := b.member("here", "alice")
		lost := b.member("lost", "bob")
		b.away(lost)
		slow := b.member("slow", "carol")
		b.stuff(slow)
		gone := b.member("gone", "dave")
		ended := b.await(toUser("dave"), &biz.Push{Title: "p"})
		synctest.Wait() // it is written
		b.End(gone.Session, transport.Ended)

		acked := b.await(toSession("here"), &biz.Push{Title: "1"})
		silent := b.await(toGID(7), &biz.Push{Title: "2"})
		want(t, here, "push 1", "push 2")
		here.AckLink(1)
		p := &biz.Push{Title: "p"}
		for name, test := range map[string]struct {
			push biz.AwaitedPush
			want biz.Outcome
		}{
			"acknowledged":               {acked, biz.OutcomeDelivered},
			"not acknowledged":           {silent, biz.OutcomeQueued},
			"the session has ended":      {ended, biz.OutcomeUnknown},
			"a session that is away":     {b.await(toSession("lost"), p), biz.OutcomeQueued},
			"a user who is away":         {b.await(toUser("bob"), p), biz.OutcomeQueued},
			"a user who is away, stored": {b.await(toUser("bob"), &biz.Push{StoreOffline: true}), biz.OutcomeOffline},
			"a full queue":               {b.await(toUser("carol"), p), biz.OutcomeSlow},
			"an unknown session":         {b.await(toSession("none"), p), biz.OutcomeNotFound},
			"a user without a session":   {b.await(toUser("eve"), p), biz.OutcomeOffline},
			"an unknown gid":             {b.await(toGID(8), p), biz.OutcomeOffline},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if got := test.push.Wait(ctx).Outcome; got != test.want {
				t.Errorf("%s: %v, want %v", name, got, test.want)
			}
			cancel()
		}
	})
}
