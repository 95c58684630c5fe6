package bench

import (
	"context"
	"errors"
	"sync/atomic"
)

// spreadDialer opens links to several nodes in turn.
type spreadDialer struct {
	nodes []dialer
	next  atomic.Uint64
}

func (s *spreadDialer) dial(ctx context.Context, who identity) (link, error) {
	return s.nodes[(s.next.Add(1)-1)%uint64(len(s.nodes))].dial(ctx, who)
}

func (s *spreadDialer) close() (err error) {
	for _, d := range s.nodes {
		err = errors.Join(err, d.close())
	}
	return err
}
