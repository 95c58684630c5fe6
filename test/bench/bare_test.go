package main

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/app/hermodctl/bench"
	"github.com/game-im/hermod/test/loopback"
)

// self is the bare loop in this process, whose usage is read as if it were another one, with the
// service behind it.
func self(t *testing.T) (s *server, upstream string) {
	t.Helper()
	at, err := freeAddrs()
	if err != nil {
		t.Fatal(err)
	}
	listen := func(addr string) net.Listener {
		lis, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return lis
	}
	upstream, err = loopback.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	im, web, service, behind := listen(at.im), listen(at.web), listen(at.service), listen(upstream)
	ctx, stop := context.WithCancel(t.Context())
	loop := newWebLoop()
	var group errgroup.Group
	group.Go(func() error { return serveBare(ctx, im) })
	group.Go(func() error { return loop.listen(ctx, web) })
	group.Go(func() error { return serveBareQUIC(ctx, at.quic) })
	group.Go(func() error { return serveBareService(ctx, service, loop, upstream) })
	group.Go(func() error { return serveUpstream(ctx, behind) })
	t.Cleanup(func() {
		stop()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &server{name: "bare", at: at, pid: os.Getpid()}, upstream
}

// small makes a load as small as it can be.
func small(l load, duration time.Duration) load {
	l.plan.WarmUp, l.plan.Duration = 0, duration
	l.plan.Connections = min(l.plan.Connections, 20)
	l.plan.Rooms = min(l.plan.Rooms, 2)
	l.plan.Batch = min(l.plan.Batch, l.plan.Connections)
	l.plan.Rate = min(l.plan.Rate, 200)
	return l
}

// TestRowsOnTheBareLoop measures every row, and finds nothing wrong.
func TestRowsOnTheBareLoop(t *testing.T) {
	opt, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, upstream := self(t)
	for _, r := range rows(opt) {
		t.Run(r.name, func(t *testing.T) {
			// On a machine with other things to do a short time is not enough to get anything done.
			for d := 100 * time.Millisecond; !measures(t, r, s, upstream, d); d *= 4 {
				if d > 10*time.Second {
					t.Fatalf("nothing was done in %v", d)
				}
			}
		})
	}
}

// measures a row, and tells whether there are figures.
func measures(t *testing.T, r row, s *server, upstream string, duration time.Duration) bool {
	t.Helper()
	out, err := small(r.load, duration).measure(t.Context(), s, false, upstream)
	if err != nil {
		t.Fatal(err)
	}
	if n := out.Total; n.Sent != n.Accepted || n.Expected != n.Delivered {
		t.Errorf("%+v", n)
	}
	o := &outcome{row: r}
	if o.kind() == "idle" { // this process does not grow evenly
		return true
	}
	lower := r.load.then == nil || out.then.Total.Accepted > 0 && (!r.load.upstream || out.direct.Total.Accepted > 0)
	return o.value()(out) > 0 && lower
}

// A server that is not what the load expects must not pass.
func TestLoadNotices(t *testing.T) {
	t.Parallel()
	opt, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := self(t)
	l := fanoutRow(opt, 100, "single", "durable").load
	for d := 100 * time.Millisecond; err == nil && d < 10*time.Second; d *= 4 { // until a message has come
		_, err = small(l, d).measure(t.Context(), s, true, "")
	}
	if err == nil || !strings.Contains(err.Error(), "not stored") {
		t.Errorf("the bare loop passed for a room that is stored: %v", err)
	}
	if _, err := perform(t.Context(), bench.Plan{}); err == nil {
		t.Error("a plan that plans nothing was carried out")
	}
}
