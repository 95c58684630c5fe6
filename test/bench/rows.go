package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// The goals of docs/performance.md.
const (
	goalVolatile  = 0.8 // of the bare loop
	goalDurable   = 0.6
	goalWeb       = 0.7
	goalMessages  = 6000 // per wall second
	goalLatency   = 50 * time.Millisecond
	goalOwn       = 40 << 10 // bytes per stream
	goalShared    = 16 << 10
	goalSocket    = 8 << 10
	ownStreams    = 2000
	sharedStreams = 10000
	sharedConns   = 20
)

// load puts a server under load and measures it.
type load interface {
	measure(ctx context.Context, s *server, durable bool) (sample, error)
}

// row is one line of the report: a load, given to both servers.
type row struct {
	name    string // kind/…, what -run matches
	title   string
	durable bool // of the node's rooms; the bare loop has only the other kind
	load    load
	goals   []goal
}

// goal is a bound and how an outcome is held against it.
type goal struct {
	text string
	met  func(*outcome) bool
}

// outcome is what the rounds of a row gave: as many samples of one server as of the other.
type outcome struct {
	row
	hermod, bare []sample
	err          error
}

func rows(opt *options) []row {
	return append(append(fanoutRows(opt), roomsRows(opt)...), idleRows(opt)...)
}

func fanoutRows(opt *options) []row {
	var all []row
	for _, receivers := range []int{100, 1000} {
		for _, batch := range []bool{false, true} {
			for _, durable := range []bool{false, true} {
				l := fanout{receivers: receivers, messages: opt.messages * 100 / receivers, window: opt.window, batch: batch}
				all = append(all, l.row(durable))
			}
		}
		web := fanout{receivers: receivers, messages: opt.messages * 100 / receivers, window: opt.window, web: true}
		all = append(all, web.row(false), web.row(true))
	}
	return all
}

func (l fanout) row(durable bool) row {
	frames, kind, least := "single", "volatile", goalVolatile
	if l.batch {
		frames = "envelope"
	}
	if l.web {
		frames, least = "websocket", goalWeb
	}
	if durable {
		kind, least = "durable", goalDurable
	}
	return row{
		name:    fmt.Sprintf("fanout/%d/%s/%s", l.receivers, frames, kind),
		title:   fmt.Sprintf("%d receivers, %s, %s", l.receivers, frames, kind),
		durable: durable,
		load:    l,
		goals:   []goal{ratioGoal(least)},
	}
}

func ratioGoal(least float64) goal {
	return goal{fmt.Sprintf("≥ %.1f", least), func(o *outcome) bool { return o.ratio().median >= least }}
}

func roomsRows(opt *options) []row {
	halfGoal := goal{fmt.Sprintf("p99 < %v at half of it", goalLatency), func(o *outcome) bool {
		return median(o.hermod, worst99Half) < float64(goalLatency)
	}}
	return []row{{
		name:    "rooms/1",
		title:   "1 in flight each",
		durable: true,
		load:    chatter{inFlight: 1, halfRate: true, duration: opt.duration},
		goals:   []goal{rateGoal(), halfGoal},
	}, {
		name:    "rooms/8",
		title:   "8 in flight each",
		durable: true,
		load:    chatter{inFlight: 8, duration: opt.duration},
	}, {
		name:    "rooms/paced",
		title:   fmt.Sprintf("%d messages/s in all", opt.rate),
		durable: true,
		load:    chatter{rate: opt.rate, duration: opt.duration},
		goals:   []goal{latencyGoal()},
	}}
}

func rateGoal() goal {
	return goal{fmt.Sprintf("≥ %d/s", goalMessages), func(o *outcome) bool {
		return median(o.hermod, perWall) >= goalMessages
	}}
}

func latencyGoal() goal {
	return goal{fmt.Sprintf("p99 < %v", goalLatency), func(o *outcome) bool {
		return median(o.hermod, worst99) < float64(goalLatency)
	}}
}

func idleRows(opt *options) []row {
	return []row{{
		name:    "idle/own",
		title:   fmt.Sprintf("%d streams, a connection each", ownStreams),
		durable: true,
		load:    idle{streams: ownStreams, conns: ownStreams, settle: opt.settle},
		goals:   []goal{memoryGoal(goalOwn)},
	}, {
		name:    "idle/shared",
		title:   fmt.Sprintf("%d streams on %d connections", sharedStreams, sharedConns),
		durable: true,
		load:    idle{streams: sharedStreams, conns: sharedConns, settle: opt.settle},
		goals:   []goal{memoryGoal(goalShared)},
	}, {
		name:    "idle/websocket",
		title:   fmt.Sprintf("%d WebSocket connections", ownStreams),
		durable: true,
		load:    idle{streams: ownStreams, settle: opt.settle, web: true},
		goals:   []goal{memoryGoal(goalSocket)},
	}}
}

func memoryGoal(most float64) goal {
	return goal{fmt.Sprintf("≤ %.0f KiB", most/1024), func(o *outcome) bool {
		return median(o.hermod, perStream) <= most
	}}
}

// bench measures rows one after another.
type bench struct {
	opt      *options
	work     string // a directory for the servers' files
	progress io.Writer
	started  int
}

// measure runs all rounds of a row, and stops at the first that fails. The order of the two
// servers changes from round to round, so that a machine that slows down favours neither.
func (b *bench) measure(ctx context.Context, r row) *outcome {
	o := &outcome{row: r}
	for round := range b.opt.rounds {
		first, second := b.bare, b.node
		if round%2 == 1 {
			first, second = b.node, b.bare
		}
		if o.err = first(ctx, o); o.err == nil {
			o.err = second(ctx, o)
		}
		if o.err != nil {
			fmt.Fprintf(b.progress, "%s: failed: %v\n", r.name, o.err)
			break
		}
		fmt.Fprintf(b.progress, "%s: round %d of %d: %s\n", r.name, round+1, b.opt.rounds, o.latest())
	}
	return o
}

func (b *bench) bare(ctx context.Context, o *outcome) error {
	s, err := b.once(ctx, "bare", o.load, false, func(dir string) (*server, error) { return startBare(ctx, dir) })
	if err == nil {
		o.bare = append(o.bare, s)
	}
	return err
}

func (b *bench) node(ctx context.Context, o *outcome) error {
	start := func(dir string) (*server, error) {
		return startNode(ctx, b.opt.bin, dir, o.durable)
	}
	durable := o.durable
	if b.opt.againstOwn {
		start, durable = func(dir string) (*server, error) { return startBare(ctx, dir) }, false
	}
	s, err := b.once(ctx, "hermod", o.load, durable, start)
	if err == nil {
		o.hermod = append(o.hermod, s)
	}
	return err
}

// once starts a server in a fresh directory, measures it and stops it.
func (b *bench) once(ctx context.Context, name string, l load, durable bool, start func(dir string) (*server, error)) (sample, error) {
	b.started++
	dir := filepath.Join(b.work, fmt.Sprintf("%03d-%s", b.started, name))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return sample{}, err
	}
	defer os.RemoveAll(dir)
	s, err := start(dir)
	if err != nil {
		return sample{}, err
	}
	out, err := l.measure(ctx, s, durable)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w\nits last lines:\n%s", name, err, s.lastLines())
	}
	return out, nil
}
