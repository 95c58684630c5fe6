package conf

import (
	"fmt"
	"strings"
	"testing"
)

func TestShownURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      "",
		"names, such as a?b=c and x@y":          "names, such as a?b=c and x@y",
		"discovery:///orders?zone=1":            "discovery:///orders?zone=1",
		"HTTPS://Example.com/a b":               "HTTPS://Example.com/a b",
		"https://example.com/hermod?":           "https://example.com/hermod?",
		"https://hush@example.com/":             "https://hush@example.com/", // the name of a user, as url.URL.Redacted has it
		"https://me:hush@example.com/keys":      "https://me:xxxxx@example.com/keys",
		"https://example.com/h?token=hush&a&b=": "https://example.com/h?token=xxxxx&xxxxx&b=xxxxx",
		"https://example.com/h?a=hush=;c=hush":  "https://example.com/h?a=xxxxx",
		"https://me:hush@[::1]:1/?hush#part":    "https://me:xxxxx@[::1]:1/?xxxxx#part",
	} {
		if got := ShownURL(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// TestSecretsInURLsAreHidden wherever a configuration is shown.
func TestSecretsInURLsAreHidden(t *testing.T) {
	t.Parallel()
	with := func(secret string) *Config {
		return mustLoad(t, fmt.Sprintf(`
auth: {jwt: {jwks_url: "https://me:%[1]s@id.example.com/keys?key=%[1]s"}}
webhooks: [{name: a, url: "https://example.com/hermod?token=%[1]s", secrets: 0123456789abcdef}]
plugins: [{name: b, process: {command: [b, "https://example.com/?token=%[1]s"]}}]
`, secret), nil)
	}
	c := with("hush")
	m := &Merged{Config: c}
	shown, err := m.YAML()
	if err != nil || strings.Contains(string(shown), "hush") {
		t.Errorf("hush is shown, or nothing is: %v", err)
	}
	for _, want := range []string{"https://me:xxxxx@id.example.com/keys?key=xxxxx", "https://example.com/hermod?token=xxxxx", "https://example.com/?token=xxxxx"} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("%s is not shown", want)
		}
	}
	for _, v := range m.Values() {
		if strings.Contains(v.Text, "hush") {
			t.Errorf("%s is %s", v.Path, v.Text)
		}
	}
	_, changes := blend(c, c, with("still"), nil)
	if len(changes) == 0 {
		t.Error("nothing has changed")
	}
	for _, change := range changes {
		if text := change.Old + change.New; strings.Contains(text, "hush") || strings.Contains(text, "still") {
			t.Errorf("%s: from %s to %s", change.Path, change.Old, change.New)
		}
	}
	for _, key := range []string{"data: {blobs: {store: s3, s3: {bucket: b, endpoint: '%s'}}}", "server: {http: {public_url: '%s'}}"} {
		if _, err := loadText(fmt.Sprintf(key, "ftp://me:hush@example.com/?hush"), nil); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("refused with %v", err)
		}
	}
}
