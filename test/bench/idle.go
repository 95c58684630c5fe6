package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const idleLimit = 3 * time.Minute

// idle is streams in rooms of ten on which nothing happens.
type idle struct {
	streams int
	conns   int
	settle  time.Duration
	web     bool
}

// measure compares the server's memory before the first stream with that after they have all been
// silent for a while.
func (l idle) measure(ctx context.Context, s *server, durable bool) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, idleLimit)
	defer cancel()
	f := newFleet(ctx, s.addr)
	if l.web {
		f = webFleet(ctx, s.web)
	}
	out, err := l.load(f, s, durable)
	return out, errors.Join(err, f.close())
}

func (l idle) load(f *fleet, s *server, durable bool) (sample, error) {
	before, err := s.usage()
	if err != nil {
		return sample{}, err
	}
	peers := make([]*peer, l.streams)
	for i := range peers {
		peers[i] = newPeer(fmt.Sprintf("u%d", i), fmt.Sprintf("room-%d", i/roomMembers), "", 0, durable)
	}
	if err := f.open(peers, l.conns); err != nil {
		return sample{}, err
	}
	if err := f.quiet(); err != nil {
		return sample{}, err
	}
	if err := rest(f.ctx, l.settle); err != nil {
		return sample{}, err
	}
	after, err := s.usage()
	if err != nil {
		return sample{}, err
	}
	return sample{rss: after.rss, perStream: float64(after.rss-before.rss) / float64(l.streams)}, nil
}
