package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// publisher serves a key set that the test can change and break.
type publisher struct {
	*httptest.Server
	fetches atomic.Int32
	mu      sync.Mutex
	body    []byte
	status  int
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{status: http.StatusOK}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		w.WriteHeader(p.status)
		w.Write(p.body) // a client that went away is not missed
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) set(status int, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

// publish serves the public halves of the signers, in a set with the extra keys.
func (p *publisher) publish(t *testing.T, signers []signer, extra ...string) {
	t.Helper()
	var keys []json.RawMessage
	for _, s := range signers {
		private, err := jwk.Import(s.key)
		if err != nil {
			t.Fatal(err)
		}
		public, err := private.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		if err := public.Set(jwk.KeyIDKey, s.kid); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(public)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, text)
	}
	for _, e := range extra {
		keys = append(keys, json.RawMessage(e))
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	p.set(http.StatusOK, text)
}

func remoteJWT(t *testing.T, p *publisher, log *slog.Logger) *JWT {
	t.Helper()
	c := configuration()
	c.JwksUrl = p.URL
	j, err := NewJWT(c, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// age lets time pass for the key set.
func age(j *JWT, d time.Duration) {
	s := j.ring.remote
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fetched.IsZero() {
		s.fetched = s.fetched.Add(-d)
	}
	s.tried = s.tried.Add(-d)
}

// settled waits for the fetch that is under way.
func settled(j *JWT) { j.ring.remote.wg.Wait() }

func login(t *testing.T, j *JWT, s signer) error {
	t.Helper()
	_, err := j.Authenticate(t.Context(), plugin.Credentials{Token: s.sign(t, alice(nil))})
	return err
}

func TestJWKSEveryAlgorithm(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	signers, _, _ := asymmetric(t)
	p.publish(t, signers,
		`{"kty":"oct","kid":"oct","k":"YSBzZWNyZXQgb2YgbW9yZSB0aGFuIHRoaXJ0eS10d28gYnl0ZXM"}`,
		`{"kty":"AKP","kid":"future","alg":"ML-DSA-44","pub":"AA"}`)
	j := remoteJWT(t, p, quiet)
	for _, s := range signers {
		if err := login(t, j, s); err != nil {
			t.Errorf("%s: %v", s.method.Alg(), err)
		}
		s.kid = ""
		if err := login(t, j, s); err != nil {
			t.Errorf("%s without kid: %v", s.method.Alg(), err)
		}
	}
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	if err := login(t, j, signer{jwt.SigningMethodHS256, "oct", []byte(secret)}); err == nil {
		t.Error("a published secret verifies")
	}
}

func TestJWKSLeavesOutWhatIsOfNoUse(t *testing.T) {
	t.Parallel()
	signers, _, _ := asymmetric(t)
	good := func(change map[string]any) string {
		key, err := jwk.Import(signers[0].key)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range change {
			if err := key.Set(name, v); err != nil {
				t.Fatal(err)
			}
		}
		text, _ := json.Marshal(key)
		return `{"keys":[` + string(text) + `]}`
	}
	for text, want := range map[string]int{
		good(nil):                                 1,
		good(map[string]any{"alg": "RS256"}):      1,
		good(map[string]any{"alg": "PS256"}):      0,
		good(map[string]any{"use": "sig"}):        1,
		good(map[string]any{"use": "enc"}):        0,
		`{"keys":[]}`:                             0,
		`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`: 0,
	} {
		keys, err := parseKeySet([]byte(text))
		if err != nil || len(keys) != want {
			t.Errorf("%.60s: %d keys, %v; want %d", text, len(keys), err, want)
		}
	}
	for _, text := range []string{"", "<html>", "[]", `{"keys":7}`} {
		if keys, err := parseKeySet([]byte(text)); err == nil {
			t.Errorf("%q is a set of %d keys", text, len(keys))
		}
	}
}

func TestJWKSRotation(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	old, _, _ := asymmetric(t)
	fresh, _, _ := asymmetric(t)
	fresh[0].kid = "rsa-2"
	p.publish(t, old[:1])
	j := remoteJWT(t, p, quiet)
	if err := login(t, j, old[0]); err != nil {
		t.Fatal(err)
	}
	p.publish(t, fresh[:1])
	if err := login(t, j, fresh[0]); err == nil {
		t.Error("a new key id fetched again at once, so made-up ones would too")
	}
	age(j, fetchPause)
	if err := login(t, j, fresh[0]); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if err := login(t, j, old[0]); err == nil {
		t.Error("the withdrawn key still verifies")
	}
}

func TestJWKSRefreshesInTheBackground(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	signers, _, _ := asymmetric(t)
	p.publish(t, signers[:2])
	j := remoteJWT(t, p, quiet)
	if err := login(t, j, signers[0]); err != nil {
		t.Fatal(err)
	}
	p.publish(t, signers[1:])
	age(j, 5*time.Minute)
	if err := login(t, j, signers[0]); err != nil {
		t.Errorf("an old set does not serve while it is fetched again: %v", err)
	}
	settled(j)
	if err := login(t, j, signers[0]); err == nil {
		t.Error("the withdrawn key still verifies")
	}
	if err := login(t, j, signers[1]); err != nil {
		t.Error(err)
	}
}

func TestJWKSServerDown(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	signers, _, _ := asymmetric(t)
	p.set(http.StatusBadGateway, nil)
	var text bytes.Buffer
	j := remoteJWT(t, p, slog.New(slog.NewTextHandler(&text, nil)))
	for range 3 {
		refused(t, login(t, j, signers[0]), plugin.KindUnavailable, "cannot be fetched now", "")
	}
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("a broken address was asked %d times in a moment", n)
	}
	p.publish(t, signers)
	age(j, fetchPause)
	if err := login(t, j, signers[0]); err != nil {
		t.Errorf("after it came back: %v", err)
	}
	for _, broken := range [][]byte{[]byte("<html>"), bytes.Repeat([]byte(" "), maxSetBytes+1)} {
		p.set(http.StatusOK, broken)
		age(j, time.Hour)
		if err := login(t, j, signers[1]); err != nil {
			t.Errorf("known keys were lost: %v", err)
		}
		settled(j)
		if err := login(t, j, signers[1]); err != nil {
			t.Errorf("known keys were lost: %v", err)
		}
	}
	p.Close()
	age(j, time.Hour)
	if err := login(t, j, signers[2]); err != nil {
		t.Errorf("known keys were lost: %v", err)
	}
	settled(j)
	log := text.String()
	if strings.Count(log, "cannot be fetched") != 2 || strings.Count(log, "fetched again") != 1 {
		t.Errorf("the log repeats itself:\n%s", log)
	}
}

// TestJWKSSecretsAreNotLogged: an address may have a password, or a token in its query.
func TestJWKSSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	p.Close()
	var text bytes.Buffer
	s := newKeySet(strings.Replace(p.URL, "://", "://me:hush@", 1)+"/?token=hush", time.Hour, slog.New(slog.NewTextHandler(&text, nil)))
	defer s.close()
	if _, err := s.find(t.Context(), "", conf.RS256); err == nil {
		t.Error("keys were found")
	}
	if log := text.String(); strings.Contains(log, "hush") || !strings.Contains(log, "token=xxxxx") || !strings.Contains(log, "refused") {
		t.Errorf("logged %s", log)
	}
}

// TestJWKSServerDownInARotation: of a key that nobody could ask for it is not said that there is none, which would keep a
// client away for good. Those that are known go on.
func TestJWKSServerDownInARotation(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	old, _, _ := asymmetric(t)
	fresh, _, _ := asymmetric(t)
	fresh[0].kid = "rsa-2"
	p.publish(t, old[:1])
	j := remoteJWT(t, p, quiet)
	if err := login(t, j, old[0]); err != nil {
		t.Fatal(err)
	}
	p.set(http.StatusBadGateway, nil)
	age(j, fetchPause)
	for range 2 { // the second one within the pause
		refused(t, login(t, j, fresh[0]), plugin.KindUnavailable, "cannot be fetched now", "")
	}
	if err := login(t, j, old[0]); err != nil {
		t.Errorf("a key that is known: %v", err)
	}
	p.publish(t, old[:1])
	age(j, fetchPause)
	refused(t, login(t, j, fresh[0]), plugin.KindUnauthenticated, "no key is known here", "")
}

func TestJWKSWaitsNoLongerThanTheCaller(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	asked := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(hold)
	c := configuration()
	c.JwksUrl = srv.URL
	j, err := NewJWT(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	signers, _, _ := asymmetric(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := j.Authenticate(ctx, plugin.Credentials{Token: signers[0].sign(t, alice(nil))})
		done <- err
	}()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	j.Close() // ends the fetch, or this test would wait for its timeout
	if _, running := j.ring.remote.known("x", conf.RS256); running != nil {
		t.Error("a fetch begins after close")
	}
}

func TestJWKSManyAtOnceFetchOnce(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	signers, _, _ := asymmetric(t)
	p.publish(t, signers)
	j := remoteJWT(t, p, quiet)
	token := signers[2].sign(t, alice(nil))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := j.Authenticate(t.Context(), plugin.Credentials{Token: token}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	plain := newPublisher(t)
	signers, _, _ := asymmetric(t)
	plain.publish(t, signers)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	s := newKeySet(secure.URL, time.Minute, quiet)
	defer s.close()
	s.client.Transport = secure.Client().Transport
	if _, err := s.fetch(); err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("got %v", err)
	}
}
