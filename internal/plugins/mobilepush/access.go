package mobilepush

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"sync"
	"time"

	jwt5 "github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

// account is the part of a service account's file that is used.
type account struct {
	Type         string `json:"type"`
	ProjectID    string `json:"project_id"`
	Email        string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
	TokenURI     string `json:"token_uri"`

	TokenURL string `json:"-"` // where tokens are really asked for
}

var projectID = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]{1,62}$`)

const defaultTokenURI = "https://oauth2.googleapis.com/token" //nolint:gosec // an address

func readAccount(c *FCM) (*account, error) {
	text, err := os.ReadFile(c.ServiceAccountFile)
	if err != nil {
		return nil, fmt.Errorf("service_account_file: %w", err)
	}
	wrong := func(what string) error {
		return fmt.Errorf("service_account_file: %s %s; it is the JSON that Firebase's console makes under Service accounts", c.ServiceAccountFile, what)
	}
	var a account
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, wrong("is no JSON")
	}
	a.TokenURI = cmp.Or(a.TokenURI, defaultTokenURI)
	a.TokenURL = cmp.Or(c.TokenURL, a.TokenURI)
	switch {
	case a.Type != "service_account":
		return nil, wrong(fmt.Sprintf("has the type %.40q, not service_account", a.Type))
	case !projectID.MatchString(a.ProjectID):
		return nil, wrong("has no project_id")
	case a.Email == "":
		return nil, wrong("has no client_email")
	}
	if _, err := jwt5.ParseRSAPrivateKeyFromPEM([]byte(a.PrivateKey)); err != nil {
		return nil, wrong("has no private_key that is an RSA key in PEM")
	}
	return &a, nil
}

// access has the token that requests to FCM show. One goroutine at a time asks for another.
type access struct {
	config  jwt.Config
	next    http.RoundTripper
	timeout time.Duration
	asking  chan struct{}

	mu   sync.Mutex
	held *oauth2.Token // nil: none
}

// early is how long before its end a token is used no more.
const early = time.Minute

func newAccess(a *account, client *http.Client) *access {
	return &access{
		config: jwt.Config{
			Email: a.Email, PrivateKey: []byte(a.PrivateKey), PrivateKeyID: a.PrivateKeyID, TokenURL: a.TokenURL, Audience: a.TokenURI,
			Scopes: []string{"https://www.googleapis.com/auth/firebase.messaging"},
		},
		next: client.Transport, timeout: client.Timeout, asking: make(chan struct{}, 1),
	}
}

// bound has what is asked for end with a context, which the library does not know of.
type bound struct {
	ctx  context.Context //nolint:containedctx // of one request
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.next.RoundTrip(r.WithContext(b.ctx))
}

// get returns a token, and asks for one if there is none that is good for a while.
func (a *access) get(ctx context.Context) (string, error) {
	if token := a.good(); token != "" {
		return token, nil
	}
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if token := a.good(); token != "" { // somebody else has asked
		return token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	client := &http.Client{
		Transport:     bound{ctx, a.next},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	fresh, err := a.config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)).Token()
	if err != nil {
		return "", err
	}
	if fresh.AccessToken == "" {
		return "", errors.New("the answer of the token endpoint has no access_token")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = fresh
	return fresh.AccessToken, nil
}

func (a *access) good() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held == nil || !a.held.Expiry.IsZero() && time.Until(a.held.Expiry) < early {
		return ""
	}
	return a.held.AccessToken
}

// forget has a token used no more that FCM does not take.
func (a *access) forget(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held != nil && a.held.AccessToken == token {
		a.held = nil
	}
}

// unauthorized is the answer when there is no token: by refusal, which another attempt does not change, or since the
// endpoint is away. The library's own text has all of the endpoint's answer.
func unauthorized(err error) answer {
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return answer{outcome: unavailable, reason: shortened(err.Error(), 4*reasonBytes)}
	}
	status := refusal.Response.StatusCode
	a := answer{outcome: denied, reason: "the token endpoint answers " + refusal.Response.Status}
	var why struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(refusal.Body, &why) == nil && why.Error != "" {
		a.reason += ", " + shortened(why.Error, reasonBytes)
	}
	if status == http.StatusTooManyRequests || status >= 500 {
		a.outcome, a.retryAfter = unavailable, retryAfter(refusal.Response.Header, time.Now())
	}
	return a
}
