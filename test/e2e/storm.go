package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/test/proxy"
)

// striker is a proxy that may strike.
type striker interface {
	Strike(rng *rand.Rand) (blow string, struck bool)
}

// storm strikes at connections through proxies, one after another, until it is over.
type storm struct {
	wg   sync.WaitGroup
	stop context.CancelFunc

	mu    sync.Mutex
	blows map[string]int // how many of each
}

// stormAround puts proxies before the node and returns them as its doors.
func stormAround(t *testing.T, n *Node, quic string) (doors, []striker) {
	t.Helper()
	im, http, udp := proxy.New(t, n.IM), proxy.New(t, n.HTTP), NewUDPProxy(t, quic)
	return doors{grpc: im.Addr, http: http.Addr, quic: udp.Addr}, []striker{im, http, udp}
}

// breakOut begins to strike each of the proxies once in about so long.
func breakOut(seed uint64, every time.Duration, at []striker) *storm {
	ctx, stop := context.WithCancel(context.Background())
	s := &storm{stop: stop, blows: map[string]int{}}
	for i, where := range at {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		s.wg.Go(func() {
			for doze(ctx, every/2+time.Duration(rng.Int64N(int64(every)))) {
				if blow, struck := where.Strike(rng); struck {
					s.mu.Lock()
					s.blows[blow]++
					s.mu.Unlock()
				}
			}
		})
	}
	return s
}

// over ends the storm. What it has cut or stalled stays so.
func (s *storm) over() {
	s.stop()
	s.wg.Wait()
}

func (s *storm) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []string
	for _, blow := range slices.Sorted(maps.Keys(s.blows)) {
		parts = append(parts, fmt.Sprintf("%d %s", s.blows[blow], blow))
	}
	return strings.Join(parts, ", ")
}

// doze lets a while pass and tells whether ctx lasts.
func doze(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
