package mobilepush

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// maxPayload is what both providers take, in bytes.
const maxPayload = 4096

var errTooLarge = errors.New("what comes with the notification leaves no room for it")

// fitted encodes a payload with as much of the body, and else of the title, as there is room for in so many bytes.
func fitted(says words, most int, payload func(words) any) ([]byte, error) {
	for _, part := range []*string{&says.body, &says.title} {
		for {
			raw, err := encoded(payload(says))
			if err != nil || len(raw) <= most {
				return raw, err
			}
			if *part == "" {
				break
			}
			*part = shortened(*part, max(0, len(*part)-(len(raw)-most)))
		}
	}
	return nil, errTooLarge
}

// encoded is json.Marshal without what only HTML needs, which takes six bytes for one.
func encoded(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// aps is what iOS itself reads, of a notification that comes by either provider.
type aps struct {
	Alert      *alert `json:"alert,omitempty"`
	Badge      int    `json:"badge,omitempty"`
	Sound      string `json:"sound,omitempty"`
	Thread     string `json:"thread-id,omitempty"`
	Mutable    int    `json:"mutable-content,omitempty"`
	Background int    `json:"content-available,omitempty"`
}

type alert struct {
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
}

func (c *Config) aps(t *note) aps {
	if c.Background {
		return aps{Background: 1}
	}
	a := aps{Badge: c.Badge, Sound: c.Sound, Thread: t.thread}
	if c.Mutable {
		a.Mutable = 1
	}
	return a
}

// appleHeaders are those of a request to APNs, which FCM passes on too.
func (c *Config) appleHeaders(t *note) map[string]string {
	h := map[string]string{
		"apns-push-type": "alert", "apns-priority": "10", "apns-collapse-id": t.collapse,
		"apns-expiration": "0", // once or never
	}
	if t.ttl > 0 {
		h["apns-expiration"] = strconv.FormatInt(t.at.Add(t.ttl).Unix(), 10)
	}
	if c.Background {
		h["apns-push-type"] = "background"
	}
	if c.Background || c.Priority == priorityNormal {
		h["apns-priority"] = "5"
	}
	return h
}

// applePayload is the body of a request to APNs.
func (c *Config) applePayload(t *note, to target, says words) ([]byte, error) {
	return fitted(says, maxPayload, func(w words) any {
		a := c.aps(t)
		if !c.Background {
			a.Alert = &alert{w.title, w.body}
		}
		all := map[string]any{"aps": a}
		for k, v := range t.dataFor(to.user) {
			all[k] = v
		}
		return all
	})
}

// firebaseMessage is Message of the HTTP v1 API, as far as it is used.
type firebaseMessage struct {
	Token        string            `json:"token"`
	Notification *alert            `json:"notification,omitempty"`
	Data         map[string]string `json:"data"`
	Android      firebaseAndroid   `json:"android"`
	APNs         firebaseAPNs      `json:"apns"`
}

type firebaseAndroid struct {
	CollapseKey  string        `json:"collapse_key,omitempty"`
	Priority     string        `json:"priority"`
	TTL          string        `json:"ttl"`
	Notification *androidShown `json:"notification,omitempty"`
}

type androidShown struct {
	Tag       string `json:"tag,omitempty"`
	Sound     string `json:"sound,omitempty"`
	ChannelID string `json:"channel_id,omitempty"`
	Count     int    `json:"notification_count,omitempty"`
}

type firebaseAPNs struct {
	Headers map[string]string `json:"headers"`
	Payload struct {
		APS aps `json:"aps"`
	} `json:"payload"`
}

// firebasePayload is the body of a request to FCM. What is counted against its limit is not said to the byte, so all of
// it is, but for the token.
func (c *Config) firebasePayload(t *note, to target, says words) ([]byte, error) {
	m := firebaseMessage{
		Token: to.device.Token, Data: t.dataFor(to.user),
		Android: firebaseAndroid{Priority: "HIGH", TTL: fmt.Sprintf("%ds", int64(t.ttl/time.Second))},
		APNs:    firebaseAPNs{Headers: maps.Clone(c.appleHeaders(t))},
	}
	m.APNs.Payload.APS = c.aps(t)
	if c.Priority == priorityNormal {
		m.Android.Priority = "NORMAL"
	}
	if t.message && c.Collapse == collapseRoom {
		m.Android.CollapseKey = t.collapse // FCM keeps four of them for a device that is off, so none per message
	}
	if !c.Background {
		m.Android.Notification = &androidShown{Tag: t.collapse, Sound: c.Sound, ChannelID: c.FCM.ChannelID, Count: c.Badge}
	}
	return fitted(says, maxPayload+len(m.Token), func(w words) any {
		if !c.Background {
			m.Notification = &alert{w.title, w.body}
		}
		return map[string]any{"message": m}
	})
}
