package mobilepush_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/internal/plugins/mobilepush"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	s := play(t)
	plugintest.Plugin(t, func() plugin.Plugin { return mobilepush.New() })
	plugintest.Plugin(t, func() plugin.Plugin { return s.fresh() })
	plugintest.OfflineNotifier(t, s)
	if len(s.google.all()) == 0 || len(s.apple.all()) == 0 {
		t.Error("nobody was notified")
	}
}

func compact(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWhatIsSent: one request for each device, which says where something was said and not what.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	s := play(t)
	before := time.Now()
	s.mustTell(said("m1", "bob", "carl"))
	fcm, apns := s.google.all(), s.apple.all()
	if len(fcm) != 1 || len(apns) != 1 {
		t.Fatalf("%d requests to FCM and %d to APNs; want 1 and 1", len(fcm), len(apns))
	}
	expires := apns[0].header.Get("apns-expiration")
	at, err := strconv.ParseInt(expires, 10, 64)
	if end := time.Unix(at, 0); err != nil || end.Before(before.Add(24*time.Hour-time.Second)) || end.After(time.Now().Add(24*time.Hour)) {
		t.Errorf("it expires at %s", expires)
	}
	want := `{"android":{"collapse_key":"hall","notification":{"sound":"default","tag":"hall"},"priority":"HIGH","ttl":"86400s"},` +
		`"apns":{"headers":{"apns-collapse-id":"hall","apns-expiration":"` + expires + `","apns-priority":"10","apns-push-type":"alert"},` +
		`"payload":{"aps":{"sound":"default","thread-id":"hall"}}},` +
		`"data":{"message_id":"m1","room_id":"hall","seq":"7","type":"text","user_id":"bob"},"notification":{"title":"New message"},"token":"fcm-bob"}`
	if got := compact(t, fcm[0].body); got != want {
		t.Errorf("FCM is sent\n%s, want\n%s", got, want)
	}
	want = `{"aps":{"alert":{"title":"New message"},"sound":"default","thread-id":"hall"},` +
		`"message_id":"m1","room_id":"hall","seq":"7","type":"text","user_id":"bob"}`
	if got := compact(t, apns[0].body); got != want {
		t.Errorf("APNs is sent\n%s, want\n%s", got, want)
	}
	for name, want := range map[string]string{"apns-topic": topic, "apns-push-type": "alert", "apns-priority": "10", "apns-collapse-id": "hall"} {
		if got := apns[0].header.Get(name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	s.outcomes("fcm", "sent", 1)
	s.outcomes("apns", "sent", 1)
}

func pushed(expiry time.Time) plugin.Notification {
	return plugin.Notification{Users: []string{"bob"}, Push: &plugin.Pushed{
		ID: "p1", Action: "mail", Title: "You have mail", Content: "from ann", Headers: map[string]string{"k": "v"}, Expiry: expiry,
	}}
}

func TestPushes(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) {
		c.Push.Title, c.Push.Body = "{{.Title}}", "{{.Text}} {{.Meta.k}}{{.Meta.none}} {{.Action}} {{.Type}}"
	})
	s.mustTell(pushed(time.Now().Add(90 * time.Second)))
	fcm, apns := s.google.all()[0].body, s.apple.all()[0]
	if got := compact(t, fcm["notification"]); got != `{"body":"from ann v mail push","title":"You have mail"}` {
		t.Error(got)
	}
	if got := compact(t, fcm["data"]); got != `{"action":"mail","push_id":"p1","type":"push","user_id":"bob"}` {
		t.Error(got)
	}
	if lives := fcm["android"].(map[string]any)["ttl"]; lives != "89s" && lives != "88s" {
		if d, err := time.ParseDuration(fmt.Sprint(lives)); err != nil || d < 0 || d > 90*time.Second {
			t.Errorf("it lives for %v", lives)
		}
	}
	if apns.header.Get("apns-collapse-id") != "p1" {
		t.Errorf("%v", apns.header)
	}
	s.mustTell(pushed(time.Now().Add(-time.Second)))
	if len(s.apple.all()) != 1 {
		t.Error("what is worth nothing any more was sent")
	}
	s.outcomes("unknown", "expired", 1)
}

// TestTexts: templates know who is told, and of what.
func TestTexts(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) {
		c.Message.Title = `{{if eq .Locale "de"}}Neues von{{else}}News of{{end}} {{.Sender}} in {{.Room}}`
		c.Message.Body = `{{if .Mentioned}}@{{.User}} {{end}}{{.Text}} ({{.Type}})`
	})
	s.team.has("bob", listed{"platform": "fcm", "token": "fcm-bob", "locale": "de"})
	s.team.has("carl", android("fcm-carl"))
	n := said("m1", "bob", "carl")
	n.Mentioned = []string{"carl"}
	s.mustTell(n)
	got := map[string]string{}
	for _, r := range s.google.all() {
		got[r.token] = compact(t, r.body["notification"])
	}
	if got["fcm-bob"] != `{"body":"a secret (text)","title":"Neues von ann in hall"}` || got["fcm-carl"] != `{"body":"@carl a secret (text)","title":"News of ann in hall"}` {
		t.Error(got)
	}
}

// TestNothingToSay: what the configuration has no words for, or does not want, is not sent.
func TestNothingToSay(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) {
		c.Message.Notify, c.Message.Title = "mentioned", `{{if ne .Type "system"}}New message{{end}}`
		c.Push.Notify = "none"
	})
	s.team.has("carl", iphone("ca"))
	n := said("m1", "bob", "carl")
	s.mustTell(n)
	s.mustTell(pushed(time.Time{}))
	n.Mentioned = []string{"carl"}
	s.mustTell(n)
	n.Message.Type = plugin.System
	s.mustTell(n)
	if got := s.apple.all(); len(got) != 1 || got[0].token != "ca" || len(s.google.all()) != 0 {
		t.Errorf("APNs is sent %v, FCM %v", got, s.google.all())
	}
	s.outcomes("apns", "no_text", 1)
}

// TestKindsOfNotifications: background, normal priority, badge, topics of devices and collapsing by message.
func TestKindsOfNotifications(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) {
		c.Priority, c.Badge, c.Mutable, c.Collapse, c.TTL, c.Sound, c.FCM.ChannelID = "normal", 3, true, "message", 0, "", "chat"
	})
	s.team.has("bob", android("fcm-bob"), listed{"platform": "apns", "token": "0b0b", "topic": "com.example.other", "sandbox": true})
	s.mustTell(said(strings.Repeat("m", 65), "bob"))
	h := s.apple.all()[0].header
	if h.Get("apns-topic") != "com.example.other" || h.Get("apns-priority") != "5" || h.Get("apns-expiration") != "0" || len(h.Get("apns-collapse-id")) != 43 {
		t.Errorf("%v", h)
	}
	if got := compact(t, s.apple.all()[0].body["aps"]); got != `{"alert":{"title":"New message"},"badge":3,"mutable-content":1,"thread-id":"hall"}` {
		t.Error(got)
	}
	tag := h.Get("apns-collapse-id")
	if got := compact(t, s.google.all()[0].body["android"]); got != `{"notification":{"channel_id":"chat","notification_count":3,"tag":"`+tag+`"},"priority":"NORMAL","ttl":"0s"}` {
		t.Error(got)
	}
	b := play(t, func(c *mobilepush.Config) { c.Background = true })
	b.mustTell(said("m1", "bob"))
	if got := compact(t, b.apple.all()[0].body["aps"]); got != `{"content-available":1}` || b.apple.all()[0].header.Get("apns-push-type") != "background" {
		t.Error(got)
	}
	if m := b.google.all()[0].body; m["notification"] != nil || m["android"].(map[string]any)["notification"] != nil {
		t.Error(compact(t, m))
	}
}

// TestLongTextsAreCut to what a provider takes, between runes; the servers refuse what is larger.
func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) { c.Message.Title, c.Message.Body = "{{.Meta.title}}", "{{.Text}}" })
	for i, text := range []string{"x", "ü", "界", "👋", "\"", "\x01", "<b>", "👨‍👩‍👧"} {
		n := said(fmt.Sprint("m", i), "bob")
		n.Message.Content = []byte(strings.Repeat(text, 10_000))
		n.Message.Metadata = map[string]string{"title": strings.Repeat(text, i*300)}
		s.mustTell(n)
		for _, a := range []map[string]any{
			s.google.all()[i].body["notification"].(map[string]any),
			s.apple.all()[i].body["aps"].(map[string]any)["alert"].(map[string]any),
		} {
			for part, v := range a {
				if says := v.(string); !utf8.ValidString(says) || strings.ContainsRune(says, utf8.RuneError) || part == "body" && !strings.HasSuffix(says, "…") {
					t.Errorf("%s of %q is %q", part, text, says)
				}
			}
		}
	}
	n := pushed(time.Time{})
	n.Push.Action = strings.Repeat("a", 5000)
	s.mustTell(n)
	s.outcomes("fcm", "too_large", 1)
	s.outcomes("apns", "too_large", 1)
}

// TestDevicesAreAskedForTogether, once for a while, and as many are remembered as the configuration says.
func TestDevicesAreAskedForTogether(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) { c.Devices.CacheUsers = 2 })
	for range 2 {
		s.mustTell(said("m1", "bob", "carl"))
	}
	if got := s.team.lookups(); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("asked %q", got)
	}
	s.mustTell(said("m2", "dave", "carl"))
	s.mustTell(said("m3", "bob"))
	if got := fmt.Sprint(s.team.lookups()); got != "[[bob carl] [dave] [bob]]" {
		t.Errorf("asked %s", got)
	}
	never := play(t, func(c *mobilepush.Config) { c.Devices.CacheTTL = 0 })
	for range 2 {
		never.mustTell(said("m1", "bob"))
	}
	if got := never.team.lookups(); len(got) != 2 {
		t.Errorf("asked %q", got)
	}
}

// TestDevicesThatAreNone: what the service tells that is wrong harms nothing else.
func TestDevicesThatAreNone(t *testing.T) {
	t.Parallel()
	s := play(t)
	wrong := []listed{
		{"platform": "pager", "token": "1"}, {"platform": "fcm"}, {"token": "x"}, {}, iphone("../../evil"), iphone("0b0"), iphone(""),
		android("a b"), android(strings.Repeat("x", 4097)), {"platform": "apns", "token": "0b", "topic": "a\nb"}, {"platform": "apns", "token": "0b?x"},
	}
	s.team.has("bob", append(wrong, android("fcm-bob"), android("fcm-bob"), iphone("0b0b"))...)
	var many []listed
	for i := range 30 {
		many = append(many, android(fmt.Sprint("many-", i)))
	}
	s.team.has("mary", many...)
	s.mustTell(said("m1", "bob", "mary"))
	if fcm, apns := len(s.google.all()), len(s.apple.all()); fcm != 21 || apns != 1 {
		t.Errorf("%d requests to FCM and %d to APNs; want 21 and 1", fcm, apns)
	}
	s.outcomes("fcm", "invalid", 13)
	s.outcomes("apns", "invalid", 5)
	s.outcomes("unknown", "invalid", 3)
}

// TestProviderThatIsNotConfigured: devices of the other one are told.
func TestProviderThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	s := play(t, func(c *mobilepush.Config) { c.APNs = mobilepush.APNs{} })
	s.mustTell(said("m1", "bob"))
	s.outcomes("fcm", "sent", 1)
	s.outcomes("apns", "no_provider", 1)
}

// TestRequestsAreBounded: a provider has as many requests at once as the configuration says, whoever sends them.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	full, release := make(chan struct{}, 100), make(chan struct{})
	s := play(t, func(c *mobilepush.Config) { c.Requests = 3 })
	s.google.answers(func(string, int) reply {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		full <- struct{}{}
		<-release
		now.Add(-1)
		return reply{}
	})
	ended := make(chan error, 4)
	for call := range 4 {
		var devices []listed
		for i := range 5 {
			devices = append(devices, android(fmt.Sprintf("%d-%d", call, i)))
		}
		user := fmt.Sprint("user-", call)
		s.team.has(user, devices...)
		go func() { ended <- s.tell(said("m1", user)) }()
	}
	for range 3 {
		await(t, full)
	}
	close(release)
	for range 4 {
		if err := await(t, ended); err != nil {
			t.Error(err)
		}
	}
	if n := most.Load(); n != 3 {
		t.Errorf("%d requests were made at once", n)
	}
	s.outcomes("fcm", "sent", 20)
}

// TestConnectionsAreKept: all that goes to APNs goes over one.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	s := play(t)
	for i := range 10 {
		s.mustTell(said(fmt.Sprint("m", i), "bob"))
	}
	seen := map[string]bool{}
	for _, r := range s.apple.all() {
		seen[r.from] = true
	}
	if len(seen) != 1 || len(s.apple.all()) != 10 {
		t.Errorf("%d connections for %d requests", len(seen), len(s.apple.all()))
	}
}
