package data

import (
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// settledOf returns what has become of pushes that db kept.
func settledOf(t *testing.T, db *DB) map[string]int {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(db.metrics.settled)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	for _, m := range families[0].GetMetric() {
		if n := int(m.GetCounter().GetValue()); n > 0 {
			ends[m.GetLabel()[0].GetValue()] = n
		}
	}
	return ends
}

func mustStore(t *testing.T, b *Inbox, user biz.UserID, id string, life time.Duration, limits biz.InboxLimits) *biz.Push {
	t.Helper()
	p := &biz.Push{ID: id, Data: []byte(id)}
	if err := b.Store(t.Context(), user, p, time.Now().Add(life), limits); err != nil {
		t.Fatal(err)
	}
	return p
}

func pageOf(t *testing.T, b *Inbox, user biz.UserID) (ids []string, last int64) {
	t.Helper()
	page, err := b.Page(t.Context(), user, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range page {
		ids, last = append(ids, p.ID), p.InboxSeq
	}
	return ids, last
}

// TestA8SettledInInboxes: every push that was kept has one end, the one that it had.
func TestA8SettledInInboxes(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	b := NewInbox(db, quiet())
	flush := func(want map[string]int) {
		t.Helper()
		for range 2 { // the second has nothing to write
			if err := b.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := settledOf(t, db); !maps.Equal(got, want) {
			t.Errorf("settled %v, want %v", got, want)
		}
	}
	mustStore(t, b, "u", "expired before it was read", -time.Second, roomy)
	mustStore(t, b, "u", "read", time.Hour, roomy)
	missed := mustStore(t, b, "u", "expired on its way", time.Hour, roomy)
	mustStore(t, b, "u", "read too", time.Hour, roomy)
	mustStore(t, b, "other", "stays", time.Hour, roomy)
	_, last := pageOf(t, b, "u")
	b.Missed("u", missed.InboxSeq)
	b.Ack("u", last)
	flush(map[string]int{"delivered": 2, "expired": 2})

	three := biz.InboxLimits{Pushes: 3, Bytes: 1 << 20, DropOldest: true}
	for i := range 5 {
		mustStore(t, b, "full", fmt.Sprint(i), time.Hour, three)
	}
	flush(map[string]int{"delivered": 2, "expired": 2, "dropped": 2})
	if err := NewJanitor(db, 0, quiet()).Sweep(t.Context(), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	flush(map[string]int{"delivered": 2, "expired": 6, "dropped": 2})
	if n := count(t, db, "inbox"); n != 0 {
		t.Errorf("%d pushes are left", n)
	}
}

// TestInboxLimitsFollowWhatIsThere: what was counted when it was kept does not count any more once it has gone,
// whatever took it.
func TestInboxLimitsFollowWhatIsThere(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	b := NewInbox(db, quiet())
	two := biz.InboxLimits{Pushes: 2, Bytes: 1 << 20}
	for round := range 5 {
		mustStore(t, b, "u", fmt.Sprint("kept ", round), time.Hour, two)
		mustStore(t, b, "u", fmt.Sprint("brief ", round), -time.Second, two)
		if ids, last := pageOf(t, b, "u"); len(ids) != 1 {
			t.Fatalf("round %d: kept %q", round, ids)
		} else if round%2 == 0 {
			b.Ack("u", last)
		} else {
			mustStore(t, b, "u", fmt.Sprint("more ", round), time.Hour, two)
			if err := b.Store(t.Context(), "u", &biz.Push{}, time.Now().Add(time.Hour), two); biz.KindOf(err) != biz.KindResourceLimit {
				t.Errorf("round %d: a third one: %v", round, err)
			}
			b.Ack("u", last+10)
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInboxShrinksToALowerLimit: an inbox that has far more than a limit which was lowered takes what comes, in the place
// of a hundred older ones each time, until it is within the limit. A push that would let it grow is refused.
func TestInboxShrinksToALowerLimit(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	b := NewInbox(db, quiet())
	const before = 2*maxDropped + 60
	roomy := biz.InboxLimits{Pushes: before, Bytes: 1 << 20}
	for range before {
		mustStore(t, b, "u", "old", time.Hour, roomy)
	}
	lower := biz.InboxLimits{Pushes: 50, Bytes: 1 << 20, DropOldest: true}
	for _, want := range []int{before - maxDropped + 1, before - 2*maxDropped + 2, 50, 50} {
		mustStore(t, b, "u", "new", time.Hour, lower)
		if s, err := b.State(t.Context(), "u"); err != nil || s.Pushes != want {
			t.Errorf("%d pushes are kept, want %d: %v", s.Pushes, want, err)
		}
	}
	for range before {
		mustStore(t, b, "v", "old", time.Hour, roomy)
	}
	lower.Bytes = 3 * before // of which each push has 3
	large := &biz.Push{Data: make([]byte, 3*maxDropped+1)}
	if err := b.Store(t.Context(), "v", large, time.Now().Add(time.Hour), lower); biz.KindOf(err) != biz.KindResourceLimit {
		t.Errorf("a push that takes more than a hundred have: %v", err)
	}
	if s, err := b.State(t.Context(), "v"); err != nil || s.Pushes != before {
		t.Errorf("%d pushes are kept, want all of them: %v", s.Pushes, err)
	}
}

// TestA7InboxOnTwoNodes: two nodes with one database keep pushes for the same users, and both replay them.
// Limits hold, no place is given twice, and what one node acknowledges is not lost by the other.
func TestA7InboxOnTwoNodes(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		const users, each, most = 5, 60, 40
		first, second := openWith(t, opts), openWith(t, opts)
		nodes := []*Inbox{NewInbox(first, quiet()), NewInbox(second, quiet())}
		limits := biz.InboxLimits{Pushes: most, Bytes: 1 << 20}
		var storing sync.WaitGroup
		for n, b := range nodes {
			for i := range each {
				for u := range users {
					storing.Go(func() {
						p := &biz.Push{ID: fmt.Sprint(n, " ", i)}
						err := b.Store(t.Context(), biz.UserID(fmt.Sprint(u)), p, time.Now().Add(time.Hour), limits)
						if err != nil && biz.KindOf(err) != biz.KindResourceLimit {
							t.Error(err)
						}
					})
				}
			}
		}
		storing.Wait()
		for u := range users {
			user := biz.UserID(fmt.Sprint(u))
			one, last := pageOf(t, nodes[0], user)
			other, _ := pageOf(t, nodes[1], user)
			if len(one) != most || fmt.Sprint(one) != fmt.Sprint(other) {
				t.Errorf("user %d: one node has %d, the other %d; want %d", u, len(one), len(other), most)
			}
			nodes[0].Ack(user, last-10)
			if err := nodes[0].Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left, _ := pageOf(t, nodes[1], user); fmt.Sprint(left) != fmt.Sprint(one[most-10:]) && len(left) < 10 {
				t.Errorf("user %d: the other node has %q left", u, left)
			}
			nodes[1].Ack(user, last)
			nodes[0].Ack(user, last)
			for _, b := range nodes {
				if err := b.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if left, _ := pageOf(t, nodes[0], user); len(left) > 0 {
				t.Errorf("user %d: %q is left when all was acknowledged", u, left)
			}
		}
		total := settledOf(t, first)["delivered"] + settledOf(t, second)["delivered"]
		if total != users*most {
			t.Errorf("%d are counted as delivered, want %d", total, users*most)
		}
	})
}

// TestInboxIsMeasuredByTheUpgrade: what an earlier version has kept counts for the limits.
func TestInboxIsMeasuredByTheUpgrade(t *testing.T) {
	t.Parallel()
	upgrade := func(t *testing.T, opts Options) {
		t.Helper()
		db := openWith(t, opts)
		kept := &biz.Push{ID: "id", MsgType: "m", Title: "ü", Content: "c", Data: []byte{0, 1, 2}, Metadata: map[string]string{"k": "ü"}}
		if err := NewInbox(db, quiet()).Store(t.Context(), "u", kept, time.Now().Add(time.Hour), roomy); err != nil {
			t.Fatal(err)
		}
		want, err := NewInbox(db, quiet()).State(t.Context(), "u")
		if err != nil || want.Pushes != 1 || want.Bytes != int64(1+2+1+3+len(`{"k":"ü"}`)) {
			t.Fatalf("%+v, %v", want, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		downTo(t, opts, 5)
		b := NewInbox(openWith(t, opts), quiet())
		if got, err := b.State(t.Context(), "u"); err != nil || got != want {
			t.Errorf("%+v, %v; was %+v", got, err, want)
		}
		if err := b.Store(t.Context(), "u", &biz.Push{}, time.Now().Add(time.Hour), biz.InboxLimits{Pushes: 1, Bytes: 1 << 20}); biz.KindOf(err) != biz.KindResourceLimit {
			t.Errorf("beyond the limit: %v", err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		upgrade(t, Options{Dir: t.TempDir()})
	})
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) { upgrade(t, opts) })
}

// downTo makes a database what it was at an earlier version of the schema.
func downTo(t *testing.T, opts Options, version int64) {
	t.Helper()
	opts = opts.withDefaults()
	drv, err := driverOf(opts.Driver)
	if err != nil {
		t.Fatal(err)
	}
	pools, err := drv.open(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := pools.close(); err != nil {
			t.Error(err)
		}
	}()
	files, err := fs.Sub(migrations, "migrations/"+drv.migrations)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(drv.goose, pools.write, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}
