package webhook_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/webhook"
)

const (
	secret = "a secret that nobody can guess"
	other  = "another that nobody can guess"
)

var (
	now  = time.Unix(1_700_000_000, 0)
	body = []byte(`{"webhook":"w","messages":[]}`)
)

func signed(t *testing.T, at time.Time, secrets ...string) http.Header {
	t.Helper()
	h := http.Header{}
	if err := webhook.Sign(h, "msg_1", at, body, secrets...); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestKnownSignature is the example of the specification Standard Webhooks: libraries of other languages compute it.
func TestKnownSignature(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	err := webhook.Sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Get(webhook.HeaderSignature); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature is %s", got)
	}
}

// TestForgedIsRefused: whatever of a request is changed, it is refused.
func TestForgedIsRefused(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(http.Header) []byte{
		"body": func(http.Header) []byte { return append([]byte(" "), body...) },
		"id":   func(h http.Header) []byte { h.Set(webhook.HeaderID, "msg_2"); return body },
		"time": func(h http.Header) []byte { h.Set(webhook.HeaderTimestamp, "1700000001"); return body },
		"another signature": func(h http.Header) []byte {
			h.Set(webhook.HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
			return body
		},
		"empty signature": func(h http.Header) []byte { h.Set(webhook.HeaderSignature, "v1,"); return body },
		"another scheme": func(h http.Header) []byte {
			h.Set(webhook.HeaderSignature, strings.Replace(h.Get(webhook.HeaderSignature), "v1,", "v0,", 1))
			return body
		},
	} {
		h := signed(t, now, secret)
		if err := webhook.Check(h, forge(h), []string{secret}, 0, now); !errors.Is(err, webhook.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := webhook.Check(signed(t, now, other), body, []string{secret}, 0, now); !errors.Is(err, webhook.ErrForged) {
		t.Errorf("another secret: %v", err)
	}
	if err := webhook.Check(signed(t, now, secret), body, nil, 0, now); !errors.Is(err, webhook.ErrForged) {
		t.Errorf("no secret: %v", err)
	}
	if err := webhook.Check(signed(t, now, ""), body, []string{""}, 0, now); err == nil {
		t.Error("an empty secret was taken")
	}
}

func TestUnsignedIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(http.Header){
		"no id":            func(h http.Header) { h.Del(webhook.HeaderID) },
		"no time":          func(h http.Header) { h.Del(webhook.HeaderTimestamp) },
		"no signature":     func(h http.Header) { h.Del(webhook.HeaderSignature) },
		"no number":        func(h http.Header) { h.Set(webhook.HeaderTimestamp, "now") },
		"another spelling": func(h http.Header) { h.Set(webhook.HeaderTimestamp, "+1700000000") },
		"two times":        func(h http.Header) { h.Add(webhook.HeaderTimestamp, "1700000000") },
		"endless":          func(h http.Header) { h.Set(webhook.HeaderSignature, strings.Repeat("v1,AAAA ", 10_000)) },
	} {
		h := signed(t, now, secret)
		spoil(h)
		if err := webhook.Check(h, body, []string{secret}, 0, now); !errors.Is(err, webhook.ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReplayedIsRefused once its window is over: what was captured is of no use later.
func TestReplayedIsRefused(t *testing.T) {
	t.Parallel()
	h := signed(t, now, secret)
	for offset, fine := range map[time.Duration]bool{
		0: true, time.Minute: true, -time.Minute: true, 61 * time.Second: false, -61 * time.Second: false, 24 * time.Hour: false,
	} {
		err := webhook.Check(h, body, []string{secret}, time.Minute, now.Add(offset))
		if fine && err != nil || !fine && !errors.Is(err, webhook.ErrStale) {
			t.Errorf("%s later: %v", offset, err)
		}
	}
}

// TestSecretsRotate: while two secrets are in use, a receiver may know either, or both.
func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	h := signed(t, now, secret, other)
	for _, known := range [][]string{{secret}, {other}, {other, secret}} {
		if err := webhook.Check(h, body, known, 0, now); err != nil {
			t.Errorf("%v: %v", known, err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	request := func(at time.Time) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		if err := webhook.Sign(r.Header, "msg_1", at, body, secret); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if got, err := webhook.Verify(request(time.Now()), []string{secret}, 0); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := webhook.Verify(request(time.Now().Add(-time.Hour)), []string{secret}, 0); !errors.Is(err, webhook.ErrStale) {
		t.Errorf("an old request: %v", err)
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for text, fine := range map[string]bool{
		"": false, "short": false, secret: true, "whsec_": false, "whsec_!!!": false, "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 24)): true,
	} {
		if err := webhook.CheckSecret(text); (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("msg_1", "1700000000", "v1,AAAA", []byte("x"))
	f.Add("", "-1", "v1, v1,", []byte(nil))
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte) {
		h := http.Header{}
		h.Set(webhook.HeaderID, id)
		h.Set(webhook.HeaderTimestamp, stamp)
		h.Set(webhook.HeaderSignature, signature)
		if err := webhook.Check(h, body, []string{secret}, 0, now); err == nil {
			t.Error("a stranger has signed")
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	d, err := webhook.Parse([]byte(`{"webhook":"w","later":1,"messages":[{"room_id":"r","seq":"7","content":"aGk=","type":"TEXT","later":2}]}`))
	if err != nil || d.Webhook != "w" || len(d.Messages) != 1 || d.Messages[0].GetSeq() != 7 || string(d.Messages[0].GetContent()) != "hi" {
		t.Errorf("%+v, %v", d, err)
	}
	for _, bad := range []string{"", "[]", `{"messages":[1]}`} {
		if _, err := webhook.Parse([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
