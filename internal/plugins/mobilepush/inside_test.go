package mobilepush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// TestProviderTokensAreRenewed before Apple takes them no more, and not more often than it allows.
func TestProviderTokensAreRenewed(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{key: key, keyID: "K", teamID: "T"}
	start := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) string {
		token, err := s.token(start.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := at(0)
	if at(44*time.Minute) != first {
		t.Error("a token that is good was replaced")
	}
	second := at(45 * time.Minute)
	if second == first {
		t.Error("a token is used for too long")
	}
	if s.renew(second, start.Add(64*time.Minute)) || at(64*time.Minute) != second {
		t.Error("a token was renewed sooner than is allowed")
	}
	if !s.renew(second, start.Add(65*time.Minute)) || at(65*time.Minute) == second {
		t.Error("a token that is rejected was not renewed")
	}
	if third := at(66 * time.Minute); !s.renew(second, start.Add(66*time.Minute)) || at(66*time.Minute) != third {
		t.Error("the token before was rejected, and the one after it replaced")
	}
}

// TestProviderThatIsAwayIsProbed: after ten seconds of failures, one request a second is made.
func TestProviderThatIsAwayIsProbed(t *testing.T) {
	t.Parallel()
	var o outage
	start := time.Unix(1_800_000_000, 0)
	at := start.Add
	o.report(at(0), at(0), true)
	if !o.allow(at(9 * time.Second)) {
		t.Error("a provider that has just failed is left alone")
	}
	o.report(at(9*time.Second), at(9*time.Second), true)
	for after, want := range []bool{true, false} {
		if o.allow(at(10*time.Second+time.Duration(after)*time.Millisecond)) != want {
			t.Errorf("probe %d is allowed: %v", after, !want)
		}
	}
	if !o.allow(at(11 * time.Second)) {
		t.Error("it is probed no more")
	}
	o.report(at(11*time.Second), at(11*time.Second), false)
	for range 2 {
		if !o.allow(at(11 * time.Second)) {
			t.Error("a provider that works is left alone")
		}
	}
}

// TestSilenceIsNoOutage: a provider that has failed once, when nothing else was asked of it for a while, has not failed at everything
// meanwhile, and none of what comes then is dropped.
func TestSilenceIsNoOutage(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	at := start.Add
	for name, failures := range map[string][]time.Duration{"one failure": {0}, "an outage": {0, 5 * time.Second, 11 * time.Second}} {
		var o outage
		for _, f := range failures {
			o.report(at(f), at(f), true)
		}
		for range 2 {
			if !o.allow(at(time.Minute)) {
				t.Errorf("after %s and a silence it is left alone", name)
			}
		}
		o.report(at(time.Minute), at(time.Minute), true)
		if !o.allow(at(time.Minute + time.Millisecond)) {
			t.Errorf("after %s, a silence and one failure it is left alone", name)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "999999999999": time.Hour, "soon": 0, "99999999999999999999": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Thu, 01 Jan 2026 03:04:15 GMT": 0, "Fri, 02 Jan 2099 03:04:15 GMT": time.Hour,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q is %s; want %s", text, got, want)
		}
	}
}

// TestReportsThatAreTooMany are dropped, and no notification waits.
func TestReportsThatAreTooMany(t *testing.T) {
	t.Parallel()
	r := &reporter{metrics: newMetrics(), waiting: make(chan grave, 2)}
	for range 5 {
		r.add(grave{})
	}
	var m dto.Metric
	if err := r.metrics.reports.WithLabelValues("dropped").Write(&m); err != nil || m.GetCounter().GetValue() != 3 {
		t.Errorf("%v are dropped, %v", m.GetCounter().GetValue(), err)
	}
}

// FuzzAnswers: whatever a provider says means something, and no answer makes a token dead that does not say so.
func FuzzAnswers(f *testing.F) {
	f.Add(404, []byte(`{"error":{"details":[{"errorCode":"UNREGISTERED"}]}}`))
	f.Add(302, []byte(`{"error":{"details":[{"errorCode":"UNREGISTERED"}]}}`))
	f.Add(502, []byte(`{"reason":"BadDeviceToken"}`))
	f.Add(410, []byte(`{"reason":"Unregistered","timestamp":1}`))
	f.Add(200, []byte(`{"name":"x"}`))
	f.Add(400, []byte(`{"error":{"message":"registration token","status":"INVALID_ARGUMENT"}}`))
	f.Add(503, []byte("<html>"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		resp := &head{StatusCode: status, Status: "as it is"}
		for name, a := range map[string]answer{"FCM": firebaseAnswer(resp, body), "APNs": appleAnswer(resp, body)} {
			if a.outcome == "" || len(a.reason) > 100 {
				t.Errorf("%s: %+v", name, a)
			}
			if a.outcome == sent && status/100 != 2 {
				t.Errorf("%s: %d is a success", name, status)
			}
			if a.outcome == dead && (status/100 != 4 || len(body) == 0 && status != http.StatusGone) {
				t.Errorf("%s: %d %q is a dead token", name, status, body)
			}
		}
	})
}

// FuzzDevices: whatever the service says, what is used of it can be sent to.
func FuzzDevices(f *testing.F) {
	f.Add([]byte(`{"devices":{"bob":[{"platform":"apns","token":"0b","topic":"a.b","sandbox":true},{"platform":"fcm","token":"x"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var told struct{ Devices map[string][]device }
		if json.Unmarshal(body, &told) != nil {
			return
		}
		d := &directory{metrics: newMetrics()}
		for _, all := range told.Devices {
			usable := d.usable(all)
			if len(usable) > maxDevices {
				t.Errorf("%d devices", len(usable))
			}
			for _, one := range usable {
				if one.Platform == platformAPNs && strings.Trim(one.Token, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
					t.Errorf("the token %q is part of an address", one.Token)
				}
			}
		}
		r := prometheus.NewRegistry()
		r.MustRegister(d.metrics.collectors()...)
		if _, err := r.Gather(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzFitted: a notification of whatever texts is within its limit, as JSON and as UTF-8.
func FuzzFitted(f *testing.F) {
	f.Add("title", strings.Repeat("界", 2000), uint16(4096))
	f.Add(strings.Repeat("\x01", 3000), strings.Repeat("\"", 3000), uint16(100))
	f.Fuzz(func(t *testing.T, title, body string, bytes uint16) {
		most := int(bytes)
		says := words{strings.ToValidUTF8(title, "?"), strings.ToValidUTF8(body, "?")}
		raw, err := fitted(says, most, func(w words) any { return alert{w.title, w.body} })
		if err != nil {
			if most >= 2 {
				t.Errorf("%v, with %d bytes", err, most)
			}
			return
		}
		if len(raw) > most || !utf8.Valid(raw) || !json.Valid(raw) {
			t.Errorf("%d bytes of %d: %q", len(raw), most, raw)
		}
	})
}
