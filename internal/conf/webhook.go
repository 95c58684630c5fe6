package conf

import (
	"cmp"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

// webhookTypes are the values of webhooks[].types.
var webhookTypes = []string{"text", "audio", "rich_text", "system"}

const (
	// maxWebhooks bounds how many there are: each has connections and a sweep of its own.
	maxWebhooks = 64
	// minWebhookSecret is how many bytes a secret has at least.
	minWebhookSecret = 16
)

// SecretList is what a webhook signs with.
func (w *Webhook) SecretList() []string {
	var secrets []string
	for secret := range strings.SplitSeq(w.GetSecrets(), ",") {
		if secret = strings.TrimSpace(secret); secret != "" {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// WithDefaults returns the webhook with what it does not say filled in.
func (w *Webhook) WithDefaults() *Webhook {
	lasting := func(d *durationpb.Duration, otherwise time.Duration) *durationpb.Duration {
		if d.AsDuration() == 0 {
			return durationpb.New(otherwise)
		}
		return d
	}
	return &Webhook{
		Name: w.GetName(), Url: w.GetUrl(), Secrets: w.GetSecrets(), Rooms: w.GetRooms(), Types: w.GetTypes(),
		Deadline: lasting(w.GetDeadline(), 10*time.Second), Attempts: cmp.Or(w.GetAttempts(), 15),
		Backoff: lasting(w.GetBackoff(), time.Second), MaxBackoff: lasting(w.GetMaxBackoff(), 5*time.Minute),
		MaxAge: lasting(w.GetMaxAge(), 72*time.Hour), Concurrency: cmp.Or(w.GetConcurrency(), 8), Batch: cmp.Or(w.GetBatch(), 100),
		KeepDead: lasting(w.GetKeepDead(), 30*24*time.Hour), CaFile: w.GetCaFile(), CertFile: w.GetCertFile(), KeyFile: w.GetKeyFile(),
	}
}

// webhookTLS has the keys of a webhook be those of a section.
type webhookTLS struct{ *Webhook }

func (webhookTLS) GetServerName() string { return "" }

func (w webhookTLS) GetEnabled() bool {
	return w.GetCaFile() != "" || w.GetCertFile() != "" || w.GetKeyFile() != ""
}

// TLSConfig reads the files that the webhook at a place of the list names; nil: it names none.
func (w *Webhook) TLSConfig(place int) (*tls.Config, error) {
	return TLSConfig(indexed("webhooks", place), webhookTLS{w})
}

func checkWebhooks(webhooks []*Webhook, ps *Problems) {
	if len(webhooks) > maxWebhooks {
		ps.add("webhooks", "has %d; at most %d", len(webhooks), maxWebhooks)
	}
	seen := map[string]bool{}
	for i, w := range webhooks {
		at := indexed("webhooks", i)
		checkPluginName(at+".name", w.GetName(), seen, ps)
		checkWebhookURL(at+".url", w.GetUrl(), ps)
		checkWebhookSecrets(at+".secrets", w.SecretList(), ps)
		checkRooms(at+".rooms", w.GetRooms(), ps)
		for _, t := range w.GetTypes() {
			if !slices.Contains(webhookTypes, t) {
				ps.add(at+".types", "%q is not known%s; one of %s", t, DidYouMean(t, webhookTypes), strings.Join(webhookTypes, ", "))
			}
		}
		checkClientTLS(at, webhookTLS{w}, ps)
	}
}

// checkWebhookURL does not show the address: its query may have secrets.
func checkWebhookURL(at, text string, ps *Problems) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "" {
		ps.add(at, "is not an http or https address without user and fragment, such as https://example.com/hermod")
	}
}

func checkWebhookSecrets(at string, secrets []string, ps *Problems) {
	if len(secrets) == 0 {
		ps.add(at, "is empty; name a secret of %d bytes or more, or several with commas between them, to exchange them", minWebhookSecret)
	}
	for i, secret := range secrets {
		if err := checkWebhookSecret(secret); err != "" {
			ps.add(at, "the secret at place %d %s", i+1, err)
		}
	}
}

// checkWebhookSecret tells what is wrong with a secret, "" when nothing is, and does not show it. One that begins with
// whsec_ goes on in base64.
func checkWebhookSecret(secret string) string {
	n := len(secret)
	if text, encoded := strings.CutPrefix(secret, "whsec_"); encoded {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "begins with whsec_ and does not go on in base64"
		}
		n = len(key)
	}
	if n < minWebhookSecret {
		return fmt.Sprintf("has %d bytes; at least %d are needed", n, minWebhookSecret)
	}
	return ""
}

func checkRooms(at string, rooms []string, ps *Problems) {
	for _, room := range rooms {
		if room == "" || strings.Contains(strings.TrimSuffix(room, "*"), "*") {
			ps.add(at, "%q is neither the name of a room nor the beginning of names with a * behind it", room)
		}
	}
}
