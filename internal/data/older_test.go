package data

import (
	"testing"
	"time"
)

// TestOlderNodesGoOn: while nodes are replaced, older ones write to a database that a newer one has migrated. What they
// write, which has no column of later migrations, is taken, and the newest code works on with it.
func TestOlderNodesGoOn(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		opts, now := opts.withDefaults(), time.Now()
		drv, p := raw(t, opts)
		provider, err := newProvider(p.write, drv)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, s := range seeds(now) {
			s.insert(t, p.write, &drv.dialect)
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		worksOn(t, opts, now)
	})
}
