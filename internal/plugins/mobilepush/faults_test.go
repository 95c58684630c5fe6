package mobilepush_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/plugins/mobilepush"
)

// firebaseSays is an error as Google documents it.
func firebaseSays(status int, code, message string) reply {
	return reply{status: status, body: fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":"X","details":[`+
		`{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":%q}]}}`, status, message, code)}
}

func appleSays(status int, reason string) reply {
	return reply{status: status, body: fmt.Sprintf(`{"reason":%q}`, reason)}
}

// TestWhatProvidersDecide: what is decided ends there, and is counted as what it is.
func TestWhatProvidersDecide(t *testing.T) {
	t.Parallel()
	const none = "The registration token is not a valid FCM registration token"
	for name, c := range map[string]struct {
		provider string
		reply    reply
		outcome  string
	}{
		"unregistered":           {"fcm", firebaseSays(404, "UNREGISTERED", ""), "dead"},
		"no token":               {"fcm", firebaseSays(400, "INVALID_ARGUMENT", none), "dead"},
		"no argument":            {"fcm", firebaseSays(400, "INVALID_ARGUMENT", "Invalid value at 'message.data'"), "refused"},
		"another sender":         {"fcm", firebaseSays(403, "SENDER_ID_MISMATCH", ""), "refused"},
		"no key from Apple":      {"fcm", firebaseSays(401, "THIRD_PARTY_AUTH_ERROR", ""), "denied"},
		"field violation":        {"fcm", reply{status: 400, body: `{"error":{"status":"INVALID_ARGUMENT","details":[{"fieldViolations":[{"field":"message.token"}]}]}}`}, "dead"},
		"no permission":          {"fcm", reply{status: 403, body: `{"error":{"status":"PERMISSION_DENIED"}}`}, "denied"},
		"not found, and no JSON": {"fcm", reply{status: 404, body: "<html>"}, "refused"},
		"too large":              {"fcm", reply{status: 413}, "too_large"},
		"success without a name": {"fcm", reply{status: 200, body: "<html>welcome to the hotel</html>"}, "garbled"},
		"a huge success":         {"fcm", reply{status: 200, body: strings.Repeat("x", 10<<20)}, "garbled"},
		"a redirection":          {"fcm", reply{status: 302, header: map[string]string{"Location": "/token"}}, "refused"},

		"gone":           {"apns", appleSays(410, "Unregistered"), "dead"},
		"expired token":  {"apns", appleSays(410, "ExpiredToken"), "dead"},
		"bad token":      {"apns", appleSays(400, "BadDeviceToken"), "dead"},
		"another topic":  {"apns", appleSays(400, "DeviceTokenNotForTopic"), "refused"},
		"bad request":    {"apns", reply{status: 400, body: "\x00\xff"}, "refused"},
		"forbidden":      {"apns", appleSays(403, "InvalidProviderToken"), "denied"},
		"young token":    {"apns", appleSays(403, "ExpiredProviderToken"), "denied"}, // there is none that would be newer
		"payload":        {"apns", appleSays(413, "PayloadTooLarge"), "too_large"},
		"huge success":   {"apns", reply{status: 200, body: strings.Repeat("x", 10<<20)}, "sent"},
		"a long reason":  {"apns", appleSays(400, strings.Repeat("界", 20_000)), "refused"},
		"a redirection2": {"apns", reply{status: 307, header: map[string]string{"Location": "/elsewhere"}}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := play(t)
			s.team.has("bob", map[string]listed{"fcm": android("fcm-bob"), "apns": iphone("0b0b")}[c.provider])
			answers := func(string, int) reply { return c.reply }
			s.google.answers(answers)
			s.apple.answers(answers)
			s.mustTell(said("m1", "bob"))
			s.outcomes(c.provider, c.outcome, 1)
			if n := len(s.google.all()) + len(s.apple.all()); n != 1 {
				t.Errorf("%d requests", n)
			}
			if c.outcome == "dead" {
				if d := await(t, s.team.dead); d.User != "bob" || d.Platform != c.provider {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}

// TestDeadTokensAreReported with what the provider says of them, and not used again, though they are remembered.
func TestDeadTokensAreReported(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.google.answers(func(string, int) reply { return firebaseSays(404, "UNREGISTERED", "") })
	s.apple.answers(func(string, int) reply {
		return reply{status: 410, body: `{"reason":"Unregistered","timestamp":1700000000123}`}
	})
	var refusals atomic.Int32
	s.team.takes(func(w http.ResponseWriter) bool {
		if refusals.Add(1) > 2 {
			return true
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	})
	s.mustTell(said("m1", "bob"))
	s.mustTell(said("m2", "bob"))
	if s.google.to("fcm-bob") != 1 || s.apple.to("0b0b") != 1 {
		t.Error("a dead token was used again")
	}
	got := map[string]buried{}
	for range 2 {
		d := await(t, s.team.dead)
		got[d.Platform] = d
	}
	if d := got["fcm"]; d.User != "bob" || d.Token != "fcm-bob" || d.Reason != "UNREGISTERED" || d.Since != nil {
		t.Errorf("%+v", d)
	}
	if d := got["apns"]; d.Token != "0b0b" || d.Reason != "Unregistered" || d.Since == nil || d.Since.UnixMilli() != 1700000000123 {
		t.Errorf("%+v", d)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if n := s.value("dead_tokens_total", "reported"); n != 2 {
		t.Errorf("%v are reported", n)
	}
}

// TestStopDoesNotWaitForReports for longer than a plugin may take, and tells what is lost.
func TestStopDoesNotWaitForReports(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.google.answers(func(string, int) reply { return firebaseSays(404, "UNREGISTERED", "") })
	asked := make(chan struct{}, 10)
	s.team.takes(func(w http.ResponseWriter) bool {
		asked <- struct{}{}
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	})
	s.mustTell(said("m1", "bob"))
	await(t, asked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); err == nil || !strings.Contains(err.Error(), "1 dead tokens were not reported") {
		t.Errorf("%v", err)
	}
	s.stop = func() error { return nil }
}

// TestTemporaryFailuresAreTriedAgain: what a provider does not take now, it is sent again, in its time.
func TestTemporaryFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]reply{
		"busy":           {status: 503},
		"internal error": {status: 500, body: "<html>"},
		"throttled":      {status: 429, header: map[string]string{"Retry-After": "1"}},
		"by a date":      {status: 503, header: map[string]string{"Retry-After": time.Now().UTC().Format(http.TimeFormat)}},
		"cut off":        {status: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := play(t)
			var first atomic.Int64
			answers := func(_ string, try int) reply {
				if try > 1 {
					return reply{}
				}
				if failure.status == 0 {
					panic(http.ErrAbortHandler)
				}
				first.CompareAndSwap(0, time.Now().UnixNano())
				return failure
			}
			s.google.answers(answers)
			s.apple.answers(answers)
			s.mustTell(said("m1", "bob"))
			if s.google.to("fcm-bob") != 2 || s.apple.to("0b0b") != 2 {
				t.Errorf("FCM is asked %d times, APNs %d times", s.google.to("fcm-bob"), s.apple.to("0b0b"))
			}
			if took := time.Since(time.Unix(0, first.Load())); failure.header["Retry-After"] == "1" && took < time.Second {
				t.Errorf("it was sent again after %s", took)
			}
			s.outcomes("fcm", "sent", 1)
			s.outcomes("apns", "sent", 1)
			a := s.apple.all()
			if a[0].header.Get("apns-id") != a[1].header.Get("apns-id") {
				t.Error("the second attempt has another id")
			}
		})
	}
}

// TestNothingIsSentTwice: when something is left, the node asks again, and then only that is sent.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.team.has("carl", android("fcm-carl"))
	s.google.answers(func(token string, try int) reply {
		if token == "fcm-bob" && try == 1 {
			return reply{status: 429, header: map[string]string{"Retry-After": "300"}}
		}
		return reply{}
	})
	n := said("m1", "bob", "carl")
	if e := s.unavailable(s.tell(n)); e.RetryAfter != 5*time.Minute {
		t.Errorf("the node is to wait %s", e.RetryAfter)
	}
	s.mustTell(n)
	if fcm, carl, apns := s.google.to("fcm-bob"), s.google.to("fcm-carl"), s.apple.to("0b0b"); fcm != 2 || carl != 1 || apns != 1 {
		t.Errorf("FCM is asked %d and %d times, APNs %d times; want 2, 1 and 1", fcm, carl, apns)
	}
	s.mustTell(said("m2", "bob", "carl")) // another one is for all of them
	if s.apple.to("0b0b") != 2 || s.google.to("fcm-carl") != 2 {
		t.Error("the next message was not sent")
	}
	s.outcomes("fcm", "throttled", 1)
}

// TestNewKeys: what has new keys counts on in the same instruments, and sends no device what it has already.
func TestNewKeys(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.google.answers(func(_ string, try int) reply {
		if try == 1 {
			return reply{status: 429, header: map[string]string{"Retry-After": "300"}}
		}
		return reply{}
	})
	n := said("m1", "bob")
	s.unavailable(s.tell(n))
	next, ok := s.Renew().(*mobilepush.Push)
	if !ok || !slices.Equal(next.Collectors(), s.Collectors()) {
		t.Fatal("it has other instruments")
	}
	s.configure(next, func(c *mobilepush.Config) { c.Message.Title = "new" })
	if err := errors.Join(next.Validate(), next.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(next.NotifyOffline(t.Context(), n), next.Stop(context.WithoutCancel(t.Context())))
	if fcm, apns := s.google.to("fcm-bob"), s.apple.to("0b0b"); err != nil || fcm != 2 || apns != 1 {
		t.Errorf("FCM is asked %d times, APNs %d times; want 2 and 1; %v", fcm, apns, err)
	}
}

// TestQuotaWithoutAdvice waits as long as Google asks for.
func TestQuotaWithoutAdvice(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.google.answers(func(string, int) reply { return firebaseSays(429, "QUOTA_EXCEEDED", "") })
	if e := s.unavailable(s.tellWithin(30*time.Second, said("m1", "bob"))); e.RetryAfter != time.Minute {
		t.Errorf("the node is to wait %s", e.RetryAfter)
	}
}

// TestProviderThatIsDown: the other one's devices are told, and the call is back before its deadline.
func TestProviderThatIsDown(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]func(*scene){
		"away": func(s *scene) { s.google.server.Close() },
		"hanging": func(s *scene) {
			s.google.answers(func(string, int) reply { <-s.t.Context().Done(); return reply{} })
		},
		"without tokens": func(s *scene) {
			s.google.grants(func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusBadGateway); return false })
		},
		"with hanging tokens": func(s *scene) {
			s.google.grants(func(http.ResponseWriter) bool { <-s.t.Context().Done(); return false })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := play(t)
			down(s)
			if e := s.unavailable(s.tellWithin(10*time.Second, said("m1", "bob"))); e.Cause == nil {
				t.Error("it says nothing of why")
			}
			s.outcomes("fcm", "unavailable", 1)
			s.outcomes("apns", "sent", 1)
		})
	}
}

// TestAccessTokens are asked for once, and again when they are taken no more.
func TestAccessTokens(t *testing.T) {
	t.Parallel()
	s := play(t)
	ended := make(chan error, 8)
	for i := range 8 {
		user := fmt.Sprint("user-", i)
		s.team.has(user, android(user))
		go func() { ended <- s.tell(said("m1", user)) }()
	}
	for range 8 {
		if err := await(t, ended); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.google.revoke(); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
	s.mustTell(said("m2", "bob"))
	if n := s.google.revoke(); n != 2 || s.google.to("fcm-bob") != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
	s.google.grants(func(w http.ResponseWriter) bool {
		reply{status: 400, body: `{"error":"invalid_grant","error_description":"who are you"}`}.write(w, "")
		return false
	})
	s.mustTell(said("m3", "bob"))
	s.outcomes("fcm", "denied", 1)
	if !strings.Contains(s.logs.String(), "the token endpoint answers 400 Bad Request, invalid_grant") {
		t.Errorf("the log has\n%s", s.logs)
	}
	s.google.grants(func(w http.ResponseWriter) bool { reply{body: "", status: 200}.write(w, ""); return false })
	s.unavailable(s.tellWithin(time.Second, said("m4", "bob")))
	s.google.grants(func(w http.ResponseWriter) bool { reply{body: "{}", status: 200}.write(w, ""); return false })
	s.unavailable(s.tellWithin(time.Second, said("m5", "bob")))
}

// TestDeviceServiceThatFails: nothing is sent, the node is told when to ask again, and does.
func TestDeviceServiceThatFails(t *testing.T) {
	t.Parallel()
	answering := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		says   string
		wait   time.Duration
		within time.Duration
	}{
		"an error":         {answering(500, ""), "answers 500", 7 * time.Second, patience},
		"no entry":         {answering(401, "who?"), "answers 401", 7 * time.Second, patience},
		"a redirection":    {answering(302, ""), "answers 302", 7 * time.Second, patience},
		"garbage":          {answering(200, "<html>"), "not the JSON", 0, patience},
		"other JSON":       {answering(200, `{"users":{}}`), "has no devices", 0, patience},
		"null":             {answering(200, `null`), "has no devices", 0, patience},
		"wrong types":      {answering(200, `{"devices":{"bob":{"token":1}}}`), "not the JSON", 0, patience},
		"a huge answer":    {answering(200, `{"devices":{"bob":[{"token":"`+strings.Repeat("x", 9<<20)+`"}]}}`), "more than 8388608 bytes", 0, patience},
		"nothing":          {answering(204, ""), "not the JSON", 0, patience},
		"a broken off one": {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "EOF", 0, patience},
		"none at all": {func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, "exceeded", 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := play(t)
			s.team.answers(c.answer)
			e := s.unavailable(s.tellWithin(c.within, said("m1", "bob")))
			if e.RetryAfter != c.wait || e.Cause == nil || !strings.Contains(e.Cause.Error(), c.says) || strings.Contains(e.Error(), s.team.server.URL) {
				t.Errorf("%v, after %s; want %s, after %s", e, e.RetryAfter, c.says, c.wait)
			}
			if len(s.apple.all()) != 0 {
				t.Error("something was sent")
			}
			s.team.answers(nil)
			s.mustTell(said("m1", "bob"))
			s.outcomes("apns", "sent", 1)
		})
	}
}

// TestTimeouts: one request without an answer leaves time for another.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) { c.RequestTimeout = 300 * time.Millisecond })
	s.apple.answers(func(_ string, try int) reply {
		if try == 1 {
			<-s.t.Context().Done()
		}
		return reply{}
	})
	s.team.has("bob", iphone("0b0b"))
	s.mustTell(said("m1", "bob"))
	if s.apple.to("0b0b") < 2 {
		t.Error("it was sent once")
	}
	slow := play(t, func(c *mobilepush.Config) { c.Devices.Timeout = 100 * time.Millisecond })
	slow.team.answers(func(http.ResponseWriter, *http.Request) bool { <-slow.t.Context().Done(); return true })
	slow.unavailable(slow.tell(said("m1", "bob")))
}

// TestCancelledCallsEnd: a node that gives up is not kept waiting.
func TestCancelledCallsEnd(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.google.answers(func(string, int) reply { <-s.t.Context().Done(); return reply{} })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.NotifyOffline(ctx, said("m1", "bob")) }()
	await(t, s.google.more)
	cancel()
	if err := await(t, ended); err == nil {
		t.Error("nothing is left, it says")
	}
}
