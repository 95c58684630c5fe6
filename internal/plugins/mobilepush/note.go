package mobilepush

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/game-im/hermod/plugin"
)

// note is what devices are told of one message or push.
type note struct {
	id        string // of the message or push
	message   bool
	facts     facts
	mentioned map[string]bool
	data      map[string]string // for the app
	thread    string            // what belongs together on a screen; empty: nothing
	collapse  string            // what takes the place of what; 1 to 64 bytes
	at        time.Time         // now
	ttl       time.Duration
}

// facts are what templates know.
type facts struct {
	Sender    string            // the user's id; of messages
	Room      string            // of messages
	Type      string            // text, audio, rich_text, system, push
	Action    string            // of pushes
	Title     string            // of pushes
	Text      string            // what was said, or a push's content; 4 KiB at most, empty if it is no text
	Meta      map[string]string // metadata of a message, headers of a push
	User      string            // who is notified
	Mentioned bool              // whether the message mentions him
	Locale    string            // of his device, as the service tells it
}

// words are what is shown.
type words struct{ title, body string }

// writer makes notes and their words.
type writer struct {
	config                                         *Config
	messageTitle, messageBody, pushTitle, pushBody *template.Template
}

func newWriter(c *Config) (*writer, error) {
	w := &writer{config: c}
	for _, t := range []struct {
		key  string
		text string
		into **template.Template
	}{
		{"message.title", c.Message.Title, &w.messageTitle}, {"message.body", c.Message.Body, &w.messageBody},
		{"push.title", c.Push.Title, &w.pushTitle}, {"push.body", c.Push.Body, &w.pushBody},
	} {
		parsed, err := template.New(t.key).Option("missingkey=zero").Parse(t.text)
		if err == nil {
			_, err = rendered(parsed, facts{Type: "text", Meta: map[string]string{}})
		}
		if err != nil {
			return nil, fmt.Errorf("%s is no template of Go's text/template with .Sender, .Room, .Type, .Action, .Title, .Text, .Meta, .User, .Mentioned and .Locale: %w", t.key, err)
		}
		*t.into = parsed
	}
	return w, nil
}

// factBytes bounds what templates are given of what was said: no notification has room for more.
const factBytes = 4096

var typeNames = map[plugin.MessageType]string{
	plugin.Text: "text", plugin.Recording: "audio", plugin.RichText: "rich_text", plugin.System: "system",
}

// note returns what to tell of n, and nil when the configuration wants nobody told of it.
func (w *writer) note(n plugin.Notification, now time.Time) *note {
	told := &note{mentioned: map[string]bool{}, at: now, ttl: w.config.TTL}
	switch {
	case n.Message != nil && w.config.Message.Notify != notifyNone:
		told.ofMessage(n.Message)
		for _, u := range n.Mentioned {
			told.mentioned[u] = true
		}
		told.collapse = told.id
		if w.config.Collapse == collapseRoom {
			told.collapse = n.Message.RoomID
		}
	case n.Push != nil && w.config.Push.Notify != notifyNone:
		told.ofPush(n.Push)
		told.collapse = told.id
	default:
		return nil
	}
	if len(told.collapse) > 64 || !utf8.ValidString(told.collapse) || !visible(told.collapse) { // which no header carries
		sum := sha256.Sum256([]byte(told.collapse))
		told.collapse = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return told
}

func (t *note) ofMessage(m *plugin.Message) {
	t.id, t.message, t.thread = m.ID, true, m.RoomID
	kind := typeNames[m.Type]
	if kind == "" {
		kind = strconv.Itoa(int(m.Type))
	}
	t.facts = facts{Sender: m.UserID, Room: m.RoomID, Type: kind, Meta: m.Metadata}
	if utf8.Valid(m.Content) {
		t.facts.Text = shortened(string(m.Content[:min(len(m.Content), factBytes+utf8.UTFMax)]), factBytes)
	}
	t.data = map[string]string{"type": kind, "room_id": m.RoomID, "message_id": m.ID, "seq": strconv.FormatInt(m.Seq, 10)}
}

func (t *note) ofPush(p *plugin.Pushed) {
	t.id = p.ID
	t.facts = facts{
		Type: "push", Action: p.Action, Title: shortened(p.Title, factBytes), Text: shortened(p.Content, factBytes), Meta: p.Headers,
	}
	t.data = map[string]string{"type": "push", "push_id": p.ID, "action": p.Action}
	if !p.Expiry.IsZero() {
		t.ttl = min(t.ttl, p.Expiry.Sub(t.at))
	}
}

// expired tells whether it is worth nothing any more.
func (t *note) expired() bool { return t.ttl < 0 }

// dataFor is what the app of one user is given.
func (t *note) dataFor(user string) map[string]string {
	data := map[string]string{"user_id": user}
	for k, v := range t.data {
		if v = strings.ToValidUTF8(v, "\uFFFD"); v != "" {
			data[k] = v
		}
	}
	return data
}

// request is the id of the notification for one device, the same each time that it is tried.
func (t *note) request(to target) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.Join([]string{"hermod:mobile-push", t.id, to.user, to.device.Token}, "\x00"))).String()
}

// words renders the templates for one device.
func (w *writer) words(t *note, to target) (says words, err error) {
	f := t.facts
	f.User, f.Mentioned, f.Locale = to.user, t.mentioned[to.user], to.device.Locale
	title, body := w.pushTitle, w.pushBody
	if t.message {
		title, body = w.messageTitle, w.messageBody
	}
	if says.title, err = rendered(title, f); err != nil {
		return says, err
	}
	says.body, err = rendered(body, f)
	return says, err
}

func rendered(t *template.Template, f facts) (string, error) {
	var b strings.Builder
	if err := t.Execute(&b, f); err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.ToValidUTF8(b.String(), "\uFFFD")), nil
}

const ellipsis = "…"

// shortened returns the beginning of s that has so many bytes at most, cut between runes, with an ellipsis for what is
// missing.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := max(0, most-len(ellipsis))
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	if most < len(ellipsis) {
		return s[:end]
	}
	return strings.TrimSuffix(s[:end], ellipsis) + ellipsis
}
