package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/registry"
)

// partly is a registry that refuses one service, and lists the others for a ttl.
type partly struct {
	registry.Nowhere
	refused string

	mu   sync.Mutex
	last time.Time // when anything was last renewed
	most time.Duration
}

func (p *partly) Register(_ context.Context, i registry.Instance) error {
	if i.Service == p.refused {
		return errors.New("this name is not for you")
	}
	return nil
}

func (p *partly) Renew(context.Context, registry.Instance) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.last.IsZero() {
		p.most = max(p.most, now.Sub(p.last))
	}
	p.last = now
	return nil
}

// TestOneThatIsRefusedKeepsTheOthers: a service that the registry does not take is tried ever less often, and those that
// it has are renewed as before: they would be lost otherwise, again and again.
func TestOneThatIsRefusedKeepsTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ttl = 6 * time.Second
		r := &partly{refused: "gateway"}
		var status registry.Status
		k := registry.NewKeeper(r, []registry.Instance{{Service: "im"}, {Service: "gateway"}}, registry.Options{
			Type: "test", TTL: ttl, Status: &status, Metrics: registry.NewMetrics(), Log: slog.New(slog.DiscardHandler),
			Healthy: func(context.Context) error { return nil },
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := k.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if r.most > ttl/3 {
			t.Errorf("what is listed for %v was not renewed for %v", ttl, r.most)
		}
	})
}
