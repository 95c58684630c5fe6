package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

const (
	fetchTimeout = 5 * time.Second
	// fetchPause bounds how often tokens with made-up key ids, or an address that does not answer,
	// make us fetch.
	fetchPause  = 10 * time.Second
	maxSetBytes = 1 << 20
)

// keySet is the keys that are published at an address. They are fetched when they are first needed,
// again in the background once they are older than the refresh interval, and at once for a key id
// that is not among them. While the address does not answer, the keys that are known stay.
type keySet struct {
	url     string
	refresh time.Duration
	client  *http.Client
	log     *slog.Logger

	life context.Context // ends with close
	end  context.CancelFunc
	wg   sync.WaitGroup // counts the fetch that is under way

	mu      sync.Mutex
	keys    []key
	fetched time.Time     // when keys were; zero: never
	tried   time.Time     // when a fetch last began
	running chan struct{} // closed when the fetch that is under way ends; nil: none is
	failing bool          // the last fetch failed
}

func newKeySet(url string, refresh time.Duration, log *slog.Logger) *keySet {
	life, end := context.WithCancel(context.Background())
	return &keySet{
		url: url, refresh: refresh, log: log, life: life, end: end,
		client: &http.Client{
			Timeout:       fetchTimeout,
			CheckRedirect: noDowngrade,
			// One fetch in minutes: nothing is gained by a connection that stays open.
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		},
	}
}

// noDowngrade follows a few redirects, but none that gives up encryption.
func noDowngrade(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= 5:
		return errors.New("more than 5 redirects")
	case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("a redirect from https to " + r.URL.Scheme)
	}
	return nil
}

// find returns the keys for a kid and algorithm; none is no error. It waits for a fetch, within
// ctx, only when it knows none.
func (s *keySet) find(ctx context.Context, kid, alg string) ([]jwt.VerificationKey, error) {
	found, running := s.known(kid, alg)
	if len(found) > 0 || running == nil {
		return found, s.reachable(found)
	}
	select {
	case <-running:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	found, _ = s.known(kid, alg)
	return found, s.reachable(found)
}

// reachable tells whether it is known that no key was found: it is not while the address does not answer.
func (s *keySet) reachable(found []jwt.VerificationKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(found) == 0 && (s.fetched.IsZero() || s.failing) {
		return plugin.Unavailable("the keys that tokens are verified with cannot be fetched now", nil)
	}
	return nil
}

// known returns the keys that are at hand, and begins a fetch when they are old or do not do. The
// channel is closed when the fetch that is under way ends.
func (s *keySet) known(kid, alg string) ([]jwt.VerificationKey, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []jwt.VerificationKey
	for _, k := range s.keys {
		if k.fits(kid, alg) {
			found = append(found, k.verifier)
		}
	}
	if len(found) == 0 || time.Since(s.fetched) >= s.refresh {
		s.beginLocked()
	}
	return found, s.running
}

func (s *keySet) beginLocked() {
	if s.running != nil || time.Since(s.tried) < fetchPause || s.life.Err() != nil {
		return
	}
	s.tried = time.Now()
	s.running = make(chan struct{})
	s.wg.Go(s.update)
}

// update fetches once. Its goroutine ends within the fetch timeout, or with close.
func (s *keySet) update() {
	keys, err := s.fetch()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && !s.failing && s.life.Err() == nil:
		s.log.Warn("keys cannot be fetched, the known ones stay", "url", conf.ShownURL(s.url), "known", len(s.keys), "error", err)
	case err == nil && s.failing:
		s.log.Info("keys are fetched again", "url", conf.ShownURL(s.url), "keys", len(keys))
	}
	s.failing = err != nil
	if err == nil {
		s.keys, s.fetched = keys, time.Now()
	}
	close(s.running)
	s.running = nil
}

func (s *keySet) fetch() ([]key, error) {
	req, err := http.NewRequestWithContext(s.life, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address, whose query may have secrets
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxSetBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxSetBytes:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxSetBytes)
	}
	return parseKeySet(text)
}

// close ends a fetch that is under way, and all later ones.
func (s *keySet) close() {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.wg.Wait()
}
