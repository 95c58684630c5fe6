package mobilepush_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/plugins/mobilepush"
)

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	s := &scene{t: t, google: startGoogle(t), apple: startApple(t), team: startTeam(t)}
	if err := s.fresh().Validate(); err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	p384 := written(t, "p384.p8", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	text := func(content string) string { return written(t, "file", []byte(content)) }
	for says, set := range map[string]func(*mobilepush.Config){
		"neither fcm.service_account_file nor apns.key_file is set":   func(c *mobilepush.Config) { c.FCM.ServiceAccountFile, c.APNs.KeyFile = "", "" },
		`message.notify is "some"; all, mentioned and none`:           func(c *mobilepush.Config) { c.Message.Notify = "some" },
		`push.notify is "mentioned"; all and none`:                    func(c *mobilepush.Config) { c.Push.Notify = "mentioned" },
		`collapse is "all"; room and message`:                         func(c *mobilepush.Config) { c.Collapse = "all" },
		"ttl is -1s; 0s to 672h":                                      func(c *mobilepush.Config) { c.TTL = -time.Second },
		"ttl is 672h0m1s":                                             func(c *mobilepush.Config) { c.TTL = 28*24*time.Hour + time.Second },
		`priority is "low"; high and normal`:                          func(c *mobilepush.Config) { c.Priority = "low" },
		"badge is -1; 0":                                              func(c *mobilepush.Config) { c.Badge = -1 },
		"requests is 0; 1 to 1000":                                    func(c *mobilepush.Config) { c.Requests = 0 },
		"request_timeout is 0s; 100ms to 1m":                          func(c *mobilepush.Config) { c.RequestTimeout = 0 },
		"message.title is no template":                                func(c *mobilepush.Config) { c.Message.Title = "{{.Sender" },
		"push.body is no template of Go's text/template with .Sender": func(c *mobilepush.Config) { c.Push.Body = "{{.Content}}" },
		"devices.url is not an http or https address":                 func(c *mobilepush.Config) { c.Devices.URL = "" },
		"devices.token has 5 bytes; 16 or more":                       func(c *mobilepush.Config) { c.Devices.Token = "short" },
		"devices.token has spaces":                                    func(c *mobilepush.Config) { c.Devices.Token += " " },
		"devices.timeout is 0s; 100ms to 1m":                          func(c *mobilepush.Config) { c.Devices.Timeout = 0 },
		"devices.cache_ttl is 2h0m0s; 0s (always asked) to 1h":        func(c *mobilepush.Config) { c.Devices.CacheTTL = 2 * time.Hour },
		"devices.cache_users is 0; 1 to":                              func(c *mobilepush.Config) { c.Devices.CacheUsers = 0 },
		"devices.ca_file: open /nowhere":                              func(c *mobilepush.Config) { c.Devices.CAFile = "/nowhere" },
		"fcm.service_account_file: open /nowhere":                     func(c *mobilepush.Config) { c.FCM.ServiceAccountFile = "/nowhere" },
		"is no JSON; it is the JSON that Firebase's console makes":    func(c *mobilepush.Config) { c.FCM.ServiceAccountFile = text("x") },
		`has the type "authorized_user", not service_account`:         func(c *mobilepush.Config) { c.FCM.ServiceAccountFile = text(`{"type":"authorized_user"}`) },
		"has no project_id": func(c *mobilepush.Config) {
			c.FCM.ServiceAccountFile = text(`{"type":"service_account","project_id":"a/b"}`)
		},
		"has no client_email": func(c *mobilepush.Config) {
			c.FCM.ServiceAccountFile = text(`{"type":"service_account","project_id":"ab"}`)
		},
		"has no private_key that is an RSA key": func(c *mobilepush.Config) {
			c.FCM.ServiceAccountFile = text(`{"type":"service_account","project_id":"ab","client_email":"e","private_key":"secret"}`)
		},
		"fcm.url is not an http":             func(c *mobilepush.Config) { c.FCM.URL = "fcm.googleapis.com" },
		"fcm.token_url is not an http":       func(c *mobilepush.Config) { c.FCM.TokenURL = "ftp://example.com" },
		"fcm.ca_file: ":                      func(c *mobilepush.Config) { c.FCM.CAFile = text("no certificate") },
		"apns.key_file: open /nowhere":       func(c *mobilepush.Config) { c.APNs.KeyFile = "/nowhere" },
		"is no key for ES256; it is the .p8": func(c *mobilepush.Config) { c.APNs.KeyFile = text("secret") },
		"p384.p8 is no key for ES256":        func(c *mobilepush.Config) { c.APNs.KeyFile = p384 },
		`apns.key_id is "ABC"; it is the 10`: func(c *mobilepush.Config) { c.APNs.KeyID = "ABC" },
		`apns.team_id is ""; it is the 10`:   func(c *mobilepush.Config) { c.APNs.TeamID = "" },
		`apns.topic is ""; it is the app's`:  func(c *mobilepush.Config) { c.APNs.Topic = "" },
		"apns.url is not an https address":   func(c *mobilepush.Config) { c.APNs.URL = "http://127.0.0.1" },
		"apns.sandbox_url is not an https":   func(c *mobilepush.Config) { c.APNs.SandboxURL = "" },
		"apns.ca_file: ":                     func(c *mobilepush.Config) { c.APNs.CAFile = "/nowhere" },
	} {
		err := s.fresh(set).Validate()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), devicesToken) {
			t.Errorf("%v tells a secret", err)
		}
	}
}

// shownTexts finds the templates in the document.
var shownTexts = regexp.MustCompile("```text\ntitle: '(.*)'\nbody: '(.*)'\n```")

// TestDocumentedTexts: the templates of docs/mobile-push.md say what the document means.
func TestDocumentedTexts(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../docs/mobile-push.md")
	texts := shownTexts.FindSubmatch(document)
	if err != nil || texts == nil {
		t.Fatalf("the document has no templates, %v", err)
	}
	s := play(t, func(c *mobilepush.Config) { c.Message.Title, c.Message.Body = string(texts[1]), string(texts[2]) })
	s.team.has("bob", listed{"platform": "fcm", "token": "fcm-bob", "locale": "de"})
	n := said("m1", "bob")
	n.Mentioned = n.Users
	s.mustTell(n)
	if got := compact(t, s.google.all()[0].body["notification"]); got != `{"body":"@you a secret","title":"Neue Nachricht von ann"}` {
		t.Error(got)
	}
}
