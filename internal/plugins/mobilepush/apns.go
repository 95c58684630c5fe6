package mobilepush

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// apns sends to Apple's push notification service. The libraries there are for it have had no release for long, and sign
// by a version of the JWT library that is no longer kept; what is used of the service is one request over HTTP/2.
type apns struct {
	config        *Config
	live, sandbox string // addresses, up to the token
	client        *http.Client
	tokens        *signer
}

func newAPNs(c *Config) (*apns, error) {
	key, err := readKey(c.APNs.KeyFile)
	if err != nil {
		return nil, err
	}
	client, err := newClient(c.APNs.CAFile, c.Requests, c.RequestTimeout)
	if err != nil {
		return nil, err
	}
	a := &apns{config: c, client: client, tokens: &signer{key: key, keyID: c.APNs.KeyID, teamID: c.APNs.TeamID}}
	for _, u := range []struct {
		text string
		into *string
	}{{c.APNs.URL, &a.live}, {c.APNs.SandboxURL, &a.sandbox}} {
		base, err := url.Parse(u.text)
		if err != nil {
			return nil, errors.New("url or sandbox_url is no address")
		}
		*u.into = base.JoinPath("3", "device").String() + "/"
	}
	return a, nil
}

func (a *apns) close() { a.client.CloseIdleConnections() }

func (a *apns) send(ctx context.Context, to target, t *note, says words) answer {
	payload, err := a.config.applePayload(t, to, says)
	if err != nil {
		return answer{outcome: tooLarge, reason: err.Error()}
	}
	for again := range 2 {
		now := time.Now()
		token, err := a.tokens.token(now)
		if err != nil {
			return answer{outcome: denied, reason: err.Error()}
		}
		resp, body, err := a.post(ctx, to, t, token, payload)
		if resp == nil {
			return failed(err)
		}
		got := appleAnswer(resp, body)
		if got.reason == "ExpiredProviderToken" && again == 0 && a.tokens.renew(token, now) {
			continue
		}
		return got
	}
	return answer{outcome: denied, reason: "ExpiredProviderToken"} // not reached: the second time returns
}

func (a *apns) post(ctx context.Context, to target, t *note, token string, payload []byte) (*head, []byte, error) {
	address := a.live
	if to.device.Sandbox {
		address = a.sandbox
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+to.device.Token, bytes.NewReader(payload))
	if err != nil {
		return nil, nil, errors.New("the token makes no address")
	}
	for name, value := range a.config.appleHeaders(t) {
		req.Header.Set(name, value)
	}
	req.Header.Set("Authorization", "bearer "+token)
	req.Header.Set("apns-topic", cmp.Or(to.device.Topic, a.config.APNs.Topic))
	req.Header.Set("apns-id", t.request(to))
	req.Header.Set("Content-Type", "application/json")
	resp, body, err := fetched(a.client, req, answerBytes)
	if resp != nil && resp.ProtoMajor != 2 {
		return nil, nil, fmt.Errorf("APNs speaks HTTP/2, and what answers speaks %s", resp.Proto)
	}
	return resp, body, err
}

// appleAnswer says what an answer of APNs means. DeviceTokenNotForTopic is no dead token: another topic would do.
func appleAnswer(resp *head, body []byte) answer {
	var why struct {
		Reason    string `json:"reason"`
		Timestamp int64  `json:"timestamp"` // in milliseconds
	}
	if json.Unmarshal(body, &why) != nil {
		why.Reason = "" // the status has to do
	}
	a := answer{reason: cmp.Or(shortened(why.Reason, reasonBytes), "the answer is "+resp.Status)}
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		return answer{outcome: sent}
	case status == http.StatusGone, status/100 == 4 && a.reason == "BadDeviceToken":
		a.outcome = dead
		if why.Timestamp > 0 {
			a.since = time.UnixMilli(why.Timestamp).UTC()
		}
	case status == http.StatusTooManyRequests:
		a.outcome, a.retryAfter = throttled, retryAfter(resp.Header, time.Now())
	case status >= 500:
		a.outcome, a.retryAfter = unavailable, retryAfter(resp.Header, time.Now())
	case status == http.StatusRequestEntityTooLarge:
		a.outcome = tooLarge
	case status == http.StatusForbidden:
		a.outcome = denied
	default:
		a.outcome = refused
	}
	return a
}

const (
	// tokenLife is how long a provider token is used: Apple takes none that is older than an hour,
	tokenLife = 45 * time.Minute
	// tokenRest and no more than one in that time.
	tokenRest = 20 * time.Minute
)

func readKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	key, err := jwt.ParseECPrivateKeyFromPEM(text)
	if err != nil || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("key_file: %s is no key for ES256; it is the .p8 file that Apple makes for APNs", file)
	}
	return key, nil
}

// signer makes the tokens that requests to APNs show.
type signer struct {
	key           *ecdsa.PrivateKey
	keyID, teamID string

	mu   sync.Mutex
	held string
	made time.Time
}

func (s *signer) token(now time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != "" && now.Sub(s.made) < tokenLife {
		return s.held, nil
	}
	fresh := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": s.teamID, "iat": now.Unix()})
	fresh.Header["kid"] = s.keyID
	signed, err := fresh.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("sign a provider token: %w", err)
	}
	s.held, s.made = signed, now
	return signed, nil
}

// renew has the next token be another one than that which was rejected, and tells whether it is: one that is younger
// than Apple allows stays, since its successor would be rejected as well.
func (s *signer) renew(rejected string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == rejected {
		if now.Sub(s.made) < tokenRest {
			return false
		}
		s.held = ""
	}
	return true
}
