package data

import (
	"errors"
	"testing"
)

func newTestCache(t *testing.T) *cache[string, int] {
	t.Helper()
	c, err := newCache[string, int](64)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mustGet expects the cache to answer from memory.
func mustGet(t *testing.T, c *cache[string, int], want int) {
	t.Helper()
	got, err := c.get("k", func() (int, error) {
		t.Error("the value is not kept")
		return 0, nil
	})
	if err != nil || got != want {
		t.Errorf("got %d, %v; want %d", got, err, want)
	}
}

func TestCacheKeepsWhatItLoaded(t *testing.T) {
	t.Parallel()
	c := newTestCache(t)
	if v, err := c.get("k", func() (int, error) { return 1, nil }); v != 1 || err != nil {
		t.Fatal(v, err)
	}
	mustGet(t, c, 1)
	c.update("k", func(v *int) { *v = 2 })
	mustGet(t, c, 2)
	c.put("k", 3)
	mustGet(t, c, 3)
}

func TestCacheKeepsNoErrors(t *testing.T) {
	t.Parallel()
	c := newTestCache(t)
	wrong := errors.New("wrong")
	if _, err := c.get("k", func() (int, error) { return 0, wrong }); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if v, err := c.get("k", func() (int, error) { return 1, nil }); v != 1 || err != nil {
		t.Fatal(v, err)
	}
}

// TestCacheKeepsNoStaleLoad: a load that began before a commit may have read what was before it.
func TestCacheKeepsNoStaleLoad(t *testing.T) {
	t.Parallel()
	for name, commit := range map[string]func(*cache[string, int]){
		"update": func(c *cache[string, int]) { c.update("k", func(*int) {}) },
		"drop":   func(c *cache[string, int]) { c.drop("k") },
		"put and evict": func(c *cache[string, int]) {
			c.put("k", 2)
			s := c.shard("k")
			s.mu.Lock()
			defer s.mu.Unlock()
			s.kept.Purge()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestCache(t)
			load := func() (int, error) {
				// A second load of the same key runs beside the first, until after the commit.
				return c.get("k", func() (int, error) {
					commit(c)
					return 1, nil
				})
			}
			if _, err := c.get("k", load); err != nil {
				t.Fatal(err)
			}
			loaded := false
			if _, err := c.get("k", func() (int, error) { loaded = true; return 2, nil }); err != nil || !loaded {
				t.Fatalf("a stale value was kept (%v)", err)
			}
			mustGet(t, c, 2)
			for i := range c.shards {
				if n := len(c.shards[i].loads); n != 0 {
					t.Errorf("%d loads are left over", n)
				}
			}
		})
	}
}

func TestCacheDoesNotOverwriteACommit(t *testing.T) {
	t.Parallel()
	c := newTestCache(t)
	_, err := c.get("k", func() (int, error) {
		c.put("k", 2)
		return 1, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustGet(t, c, 2)
}
