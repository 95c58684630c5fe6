package main

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// serve runs the bare loop in this process, which then is also the server whose usage is read.
func serve(t *testing.T) *server {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- serveBare(ctx, lis) }()
	go func() { done <- serveBareWeb(ctx, web) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
	})
	return &server{name: "bare", addr: lis.Addr().String(), web: web.Addr().String(), pid: os.Getpid()}
}

func TestFanout(t *testing.T) {
	t.Parallel()
	for _, l := range []fanout{{}, {batch: true}, {web: true}} {
		l.receivers, l.messages, l.window = 5, 300, 64
		out, err := l.measure(t.Context(), serve(t), false)
		if err != nil {
			t.Fatal(err)
		}
		if out.perCPU <= 0 || out.perWall <= 0 || out.rss <= 0 {
			t.Errorf("got %+v", out)
		}
	}
}

// A server that is not what the load expects must not pass.
func TestFanoutNotices(t *testing.T) {
	t.Parallel()
	l := fanout{receivers: 2, messages: 300, window: 64}
	if _, err := l.measure(t.Context(), serve(t), true); err == nil {
		t.Error("the bare loop passed for a durable room")
	}
}

func TestCrowd(t *testing.T) {
	t.Parallel()
	const wanted = 500
	f := newFleet(t.Context(), serve(t).addr)
	c := &crowd{fleet: f}
	for i := range 2 * roomMembers {
		c.add(i, false)
	}
	if err := f.open(c.members, 4); err != nil {
		t.Fatal(err)
	}
	loads := map[string]func(context.Context) error{
		"loop": func(ctx context.Context) error { return c.loop(ctx, 3) },
		"pace": func(ctx context.Context) error { return c.pace(ctx, 20000) },
	}
	for name, load := range loads {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		c.watch(true)
		start := c.acked()
		go func() { ended <- load(ctx) }()
		if err := f.await(time.Minute, "messages", func() bool { return c.acked() >= start+wanted }); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := c.drain(); err != nil {
			t.Error(err)
		}
		ack, delivery := c.spreads()
		if ack.p99 < ack.p50 || delivery.p99 < delivery.p50 || ack.p50 <= 0 || delivery.p50 <= 0 {
			t.Errorf("%s: got spreads %v and %v", name, ack, delivery)
		}
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}
