package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// row is one line of the report: a load, given to both servers.
type row struct {
	name  string // kind/…, what -run matches
	title string
	load  load
	goals []goal
}

// outcome is what the rounds of a row gave: as many samples of one server as of the other.
type outcome struct {
	row
	hermod, bare []sample
	err          error
}

// runner measures rows one after another.
type runner struct {
	opt      *options
	work     string // a directory for the servers' files
	progress io.Writer
	started  int
}

// measure runs all rounds of a row, and stops at the first that fails. The order of the two
// servers changes from round to round, so that a machine that slows down favours neither.
func (b *runner) measure(ctx context.Context, r row) *outcome {
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

func (b *runner) bare(ctx context.Context, o *outcome) error {
	s, err := b.once(ctx, o.load, false, b.bareLoop(ctx))
	if err == nil {
		o.bare = append(o.bare, s)
	}
	return err
}

func (b *runner) node(ctx context.Context, o *outcome) error {
	start, stored := func(dir, upstream string) (*server, error) {
		return startNode(ctx, b.opt.bin, dir, nodeSetting{stored: o.load.stored, upstream: upstream})
	}, o.load.stored
	if b.opt.againstOwn {
		start, stored = b.bareLoop(ctx), false
	}
	s, err := b.once(ctx, o.load, stored, start)
	if err == nil {
		o.hermod = append(o.hermod, s)
	}
	return err
}

func (b *runner) bareLoop(ctx context.Context) func(dir, upstream string) (*server, error) {
	return func(dir, upstream string) (*server, error) { return startBare(ctx, dir, upstream) }
}

// once starts a server in a fresh directory, and its business service if the load has one, measures it
// and stops both.
func (b *runner) once(ctx context.Context, l load, stored bool, start func(dir, upstream string) (*server, error)) (out sample, err error) {
	b.started++
	dir := filepath.Join(b.work, fmt.Sprintf("%03d", b.started))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	upstream := ""
	if l.upstream {
		u, err := startUpstream(ctx, dir)
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, u.stop()) }()
		upstream = u.at.service
	}
	s, err := start(dir, upstream)
	if err != nil {
		return out, err
	}
	out, err = l.measure(ctx, s, stored, upstream)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return out, fmt.Errorf("%s: %w\nits last lines:\n%s", s.name, err, s.lastLines())
	}
	return out, nil
}
