package mobilepush_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/game-im/hermod/test/authority"
)

const (
	project      = "demo-project"
	email        = "push@demo-project.iam.gserviceaccount.com"
	audience     = "https://oauth2.example.com/token" // what assertions are for, wherever they are sent
	keyID        = "ABCDE12345"
	teamID       = "TEAM123456"
	topic        = "com.example.app"
	devicesToken = "token-of-the-device-service"
	patience     = time.Minute
)

// request is what a provider was sent.
type request struct {
	from   string
	token  string
	header http.Header
	body   map[string]any
	raw    []byte
}

// reply is what a provider answers; the zero one is a success.
type reply struct {
	status int
	header map[string]string
	body   string
}

func (a reply) write(w http.ResponseWriter, success string) {
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if a.status == 0 {
		a.status, a.body = http.StatusOK, success
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// ledger is what a provider was sent, in order, and what it answers.
type ledger struct {
	mu       sync.Mutex
	requests []request
	answer   func(token string, try int) reply // the try-th request for a token, from 1; nil: success
	more     chan struct{}
}

func newLedger() *ledger { return &ledger{more: make(chan struct{}, 10_000)} }

func (l *ledger) answers(fn func(token string, try int) reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = fn
}

func (l *ledger) add(r request) reply {
	l.mu.Lock()
	l.requests = append(l.requests, r)
	try, answer := 0, l.answer
	for _, before := range l.requests {
		if before.token == r.token {
			try++
		}
	}
	l.mu.Unlock()
	l.more <- struct{}{}
	if answer == nil {
		return reply{}
	}
	return answer(r.token, try)
}

func (l *ledger) all() []request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.requests)
}

func (l *ledger) to(token string) (count int) {
	for _, r := range l.all() {
		if r.token == token {
			count++
		}
	}
	return count
}

// google is FCM with its token endpoint.
type google struct {
	*ledger
	t      *testing.T
	server *httptest.Server
	key    *rsa.PrivateKey

	mu      sync.Mutex
	tokens  int                                 // that were given
	valid   map[string]bool                     // those that are taken
	granted func(http.ResponseWriter) (ok bool) // nil: each assertion that is right
}

// accountKey is that of all accounts: to make one takes long.
var accountKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func startGoogle(t *testing.T) *google {
	t.Helper()
	key, err := accountKey()
	if err != nil {
		t.Fatal(err)
	}
	g := &google{ledger: newLedger(), t: t, key: key, valid: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", g.grant)
	mux.HandleFunc("POST /v1/projects/"+project+"/messages:send", g.send)
	g.server = httptest.NewServer(mux)
	t.Cleanup(g.server.Close)
	return g
}

// file writes the file of the service account.
func (g *google) file() string {
	g.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(g.key)
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "client_email": email, "private_key_id": "k1", "token_uri": audience,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return written(g.t, "account.json", text)
}

func written(t *testing.T, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// grant checks an assertion as RFC 7523 has it, and gives a token for it.
func (g *google) grant(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	granted := g.granted
	g.mu.Unlock()
	if granted != nil && !granted(w) {
		return
	}
	var claims struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	parsed, err := jwt.ParseWithClaims(r.FormValue("assertion"), &claims, func(*jwt.Token) (any, error) { return &g.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(audience), jwt.WithIssuer(email), jwt.WithExpirationRequired())
	if err != nil || parsed.Header["kid"] != "k1" || claims.Scope != "https://www.googleapis.com/auth/firebase.messaging" ||
		r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		g.t.Errorf("the assertion is wrong: %v, %+v", err, claims)
		reply{status: 400, body: `{"error":"invalid_grant"}`}.write(w, "")
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens++
	token := fmt.Sprint("access-", g.tokens)
	g.valid[token] = true
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
}

func (g *google) grants(fn func(http.ResponseWriter) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.granted = fn
}

// revoke has all tokens that were given be worth nothing, and returns how many there were.
func (g *google) revoke() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid = map[string]bool{}
	return g.tokens
}

var ttl = regexp.MustCompile(`^[0-9]+s$`)

func (g *google) send(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	ok := g.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	g.mu.Unlock()
	if !ok {
		reply{status: 401, body: `{"error":{"code":401,"message":"invalid credentials","status":"UNAUTHENTICATED"}}`}.write(w, "")
		return
	}
	raw, err := io.ReadAll(r.Body)
	var message struct {
		Message struct {
			Token        string
			Notification *struct{ Title, Body string }
			Data         map[string]string
			Android      struct {
				CollapseKey  string `json:"collapse_key"`
				Priority     string
				TTL          string `json:"ttl"`
				Notification *struct {
					Tag, Sound string
					ChannelID  string `json:"channel_id"`
					Count      int    `json:"notification_count"`
				}
			}
			APNs struct {
				Headers map[string]string
				Payload map[string]any
			} `json:"apns"`
		}
	}
	strict := json.NewDecoder(strings.NewReader(string(raw)))
	strict.DisallowUnknownFields()
	if err == nil {
		err = strict.Decode(&message)
	}
	m := message.Message
	if err != nil || m.Token == "" || !ttl.MatchString(m.Android.TTL) || m.Android.Priority != "HIGH" && m.Android.Priority != "NORMAL" ||
		len(raw)-len(m.Token) > 4096 {
		g.t.Errorf("FCM is sent %d bytes, %v: %s", len(raw), err, raw)
	}
	body := map[string]any{}
	_ = json.Unmarshal(raw, &body)
	inner, _ := body["message"].(map[string]any)
	g.add(request{r.RemoteAddr, m.Token, r.Header, inner, raw}).write(w, `{"name":"projects/`+project+`/messages/1"}`)
}

// apple is APNs: HTTP/2 with TLS.
type apple struct {
	*ledger
	t      *testing.T
	server *httptest.Server
	ca     string
	key    *ecdsa.PrivateKey
}

func startApple(t *testing.T) *apple {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &apple{ledger: newLedger(), t: t, key: key}
	issuer := authority.New(t)
	_, _, a.ca = issuer.Files(t.TempDir(), authority.Leaf{Name: "apns"})
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(a.send))
	a.server.EnableHTTP2 = true
	a.server.TLS = &tls.Config{Certificates: []tls.Certificate{issuer.Pair(authority.Leaf{Name: "apns"})}, MinVersion: tls.VersionTLS12}
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	return a
}

// file writes the key as Apple does.
func (a *apple) file() string {
	a.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return written(a.t, "AuthKey.p8", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// checked returns what is wrong with a request by Apple's documents.
func (a *apple) checked(r *http.Request, raw []byte) error {
	h := r.Header
	token, err := jwt.Parse(strings.TrimPrefix(h.Get("Authorization"), "bearer "), func(*jwt.Token) (any, error) { return &a.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(teamID), jwt.WithIssuedAt())
	if err != nil || token.Header["kid"] != keyID {
		return fmt.Errorf("the provider token is wrong: %w", err)
	}
	if issued, err := token.Claims.GetIssuedAt(); err != nil || time.Since(issued.Time) > time.Hour {
		return fmt.Errorf("the provider token is old: %w", err)
	}
	if _, err := uuid.Parse(h.Get("apns-id")); err != nil {
		return err
	}
	if _, err := strconv.ParseInt(h.Get("apns-expiration"), 10, 64); err != nil {
		return err
	}
	kind, priority := h.Get("apns-push-type"), h.Get("apns-priority")
	switch {
	case r.ProtoMajor != 2 || r.Method != http.MethodPost || !regexp.MustCompile(`^/3/device/[0-9a-f]+$`).MatchString(r.URL.Path):
		return fmt.Errorf("%s %s %s", r.Method, r.URL.Path, r.Proto)
	case h.Get("apns-topic") == "" || len(h.Get("apns-collapse-id")) > 64 || kind != "alert" && kind != "background":
		return fmt.Errorf("headers %v", h)
	case priority != "5" && (priority != "10" || kind == "background"):
		return fmt.Errorf("priority %s of %s", priority, kind)
	case len(raw) > 4096:
		return fmt.Errorf("%d bytes", len(raw))
	}
	return nil
}

func (a *apple) send(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	body := map[string]any{}
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	if err == nil {
		err = a.checked(r, raw)
	}
	if err != nil {
		a.t.Errorf("APNs is sent what is wrong: %v: %s", err, raw)
	}
	w.Header().Set("apns-id", r.Header.Get("apns-id"))
	a.add(request{r.RemoteAddr, strings.TrimPrefix(r.URL.Path, "/3/device/"), r.Header, body, raw}).write(w, "")
}

// listed is a device as the service tells of it.
type listed map[string]any

func android(token string) listed { return listed{"platform": "fcm", "token": token} }
func iphone(token string) listed  { return listed{"platform": "apns", "token": token} }

// buried is a report of a dead token.
type buried struct {
	User, Platform, Token, Reason string
	Since                         *time.Time
}

// team is the service that knows who has which devices.
type team struct {
	t      *testing.T
	server *httptest.Server
	dead   chan buried

	mu      sync.Mutex
	devices map[string][]listed
	asked   [][]string
	answer  func(w http.ResponseWriter, r *http.Request) bool // of a look-up; nil or false: the devices
	take    func(w http.ResponseWriter) bool                  // of a report; nil or true: taken
}

func startTeam(t *testing.T) *team {
	t.Helper()
	s := &team{t: t, dead: make(chan buried, 1000), devices: map[string][]listed{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /devices/lookup", s.lookup)
	mux.HandleFunc("POST /devices/dead", s.report)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	return s
}

func (s *team) has(user string, devices ...listed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[user] = devices
}

func (s *team) answers(fn func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = fn
}

func (s *team) takes(fn func(http.ResponseWriter) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take = fn
}

func (s *team) lookups() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *team) read(r *http.Request, into any) {
	if r.Header.Get("Authorization") != "Bearer "+devicesToken {
		s.t.Errorf("the service is shown %q", r.Header.Get("Authorization"))
	}
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		s.t.Error(err)
	}
}

func (s *team) lookup(w http.ResponseWriter, r *http.Request) {
	var q struct{ Users []string }
	s.read(r, &q)
	s.mu.Lock()
	s.asked = append(s.asked, q.Users)
	answer, found := s.answer, map[string][]listed{}
	for _, u := range q.Users {
		if len(s.devices[u]) > 0 {
			found[u] = s.devices[u]
		}
	}
	s.mu.Unlock()
	if answer == nil || !answer(w, r) {
		_ = json.NewEncoder(w).Encode(map[string]any{"devices": found})
	}
}

func (s *team) report(w http.ResponseWriter, r *http.Request) {
	var q struct{ Dead []buried }
	s.read(r, &q)
	s.mu.Lock()
	take := s.take
	s.mu.Unlock()
	if take != nil && !take(w) {
		return
	}
	for _, d := range q.Dead {
		s.dead <- d
	}
	w.WriteHeader(http.StatusNoContent)
}
