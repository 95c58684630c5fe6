package floodguard

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// buckets are token buckets by name, of those that were used last: whoever is forgotten begins with a full one. nil
// limits nobody.
type buckets struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex
	known *lru.LRU[string, *rate.Limiter]
}

func newBuckets(perSecond float64, burst, most int) (*buckets, error) {
	if perSecond == 0 {
		return nil, nil //nolint:nilnil // no limit is no bucket
	}
	known, err := lru.NewLRU[string, *rate.Limiter](most, nil)
	return &buckets{rate: rate.Limit(perSecond), burst: burst, known: known}, err
}

// take takes a token and tells whether there was one.
func (b *buckets) take(name string, now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	one, ok := b.known.Get(name)
	if !ok {
		one = rate.NewLimiter(b.rate, b.burst)
		b.known.Add(name, one)
	}
	return one.AllowN(now, 1)
}
