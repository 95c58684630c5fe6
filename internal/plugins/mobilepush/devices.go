package mobilepush

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// The platforms of devices, which are the providers.
const (
	platformFCM  = "fcm"
	platformAPNs = "apns"
)

const (
	// maxDevices of one user are notified.
	maxDevices = 20
	// maxDeviceToken is the bytes of the longest token.
	maxDeviceToken = 4096
	// lookupBytes bounds the answer for 500 users.
	lookupBytes = 8 << 20
)

// device is one of a user's, as the team's service tells of it.
type device struct {
	Platform string `json:"platform"`
	Token    string `json:"token"`
	Topic    string `json:"topic"`   // of APNs, empty: that of the configuration
	Sandbox  bool   `json:"sandbox"` // of APNs: the token is of a development build
	Locale   string `json:"locale"`  // for templates
}

// usable tells whether it is a device that there can be.
func (d device) usable() bool {
	if d.Token == "" || len(d.Token) > maxDeviceToken || !visible(d.Token) {
		return false
	}
	switch d.Platform {
	case platformFCM:
		return true
	case platformAPNs: // whose token becomes part of a path
		return len(d.Token)%2 == 0 && alphanumeric(d.Token, len(d.Token)) && len(d.Topic) <= 255 && visible(d.Topic)
	}
	return false
}

// directory asks the team's service who has which devices, and remembers for a while.
type directory struct {
	lookup, dead string // addresses
	token        string
	client       *http.Client
	ttl          time.Duration
	known        *lru.Cache[string, listing]
	metrics      *metrics
}

// listing is the devices of a user.
type listing struct {
	devices []device
	until   time.Time
}

func newDirectory(c *Devices, m *metrics) (*directory, error) {
	client, err := newClient(c.CAFile, 16, c.Timeout)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("url is no address")
	}
	d := &directory{lookup: base.JoinPath("lookup").String(), dead: base.JoinPath("dead").String(), token: c.Token, client: client, ttl: c.CacheTTL, metrics: m}
	d.known, err = lru.New[string, listing](c.CacheUsers)
	return d, err
}

func (d *directory) close() { d.client.CloseIdleConnections() }

// of returns the devices of users.
func (d *directory) of(ctx context.Context, users []string) (map[string][]device, error) {
	found := make(map[string][]device, len(users))
	var unknown []string
	now := time.Now()
	for _, u := range users {
		if l, ok := d.known.Get(u); ok && now.Before(l.until) {
			found[u] = l.devices
		} else {
			unknown = append(unknown, u)
		}
	}
	d.metrics.lookups.WithLabelValues("known").Add(float64(len(found)))
	if len(unknown) == 0 {
		return found, nil
	}
	answered, err := d.ask(ctx, unknown)
	if err != nil {
		d.metrics.lookups.WithLabelValues("failed").Add(float64(len(unknown)))
		return nil, err
	}
	d.metrics.lookups.WithLabelValues("asked").Add(float64(len(unknown)))
	for _, u := range unknown {
		found[u] = d.usable(answered[u])
		if d.ttl > 0 {
			d.known.Add(u, listing{found[u], now.Add(d.ttl)})
		}
	}
	return found, nil
}

// usable leaves out what is no device, what is there twice, and what is too much.
func (d *directory) usable(told []device) (all []device) {
	for _, one := range told {
		switch twice := slices.ContainsFunc(all, func(o device) bool { return o.Platform == one.Platform && o.Token == one.Token }); {
		case !one.usable(), !twice && len(all) == maxDevices:
			d.metrics.count(one.Platform, invalid)
		case !twice:
			all = append(all, one)
		}
	}
	return all
}

// ask asks for the devices of users, who have none when the answer does not name them.
func (d *directory) ask(ctx context.Context, users []string) (map[string][]device, error) {
	body, err := d.post(ctx, d.lookup, map[string]any{"users": users}, lookupBytes)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Devices map[string][]device `json:"devices"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("the answer is not the JSON that is expected: %w", err)
	}
	if answer.Devices == nil {
		return nil, errors.New("the answer is not the JSON that is expected: it has no devices")
	}
	return answer.Devices, nil
}

// post sends JSON, and returns the body of an answer with 2xx.
func (d *directory) post(ctx context.Context, to string, what any, most int64) ([]byte, error) {
	body, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+d.token)
	resp, text, err := fetched(d.client, req, most)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode/100 != 2:
		return nil, &refusal{resp.Status, retryAfter(resp.Header, time.Now())}
	}
	return text, nil
}

// refusal is an answer of the service that is none of 2xx.
type refusal struct {
	status     string
	retryAfter time.Duration
}

func (r *refusal) Error() string { return "the service answers " + r.status }

// forget has a device of a user be unknown, so that it is not sent to before the service has heard of it.
func (d *directory) forget(user string, gone device) {
	if l, ok := d.known.Peek(user); ok {
		l.devices = slices.DeleteFunc(slices.Clone(l.devices), func(o device) bool { return o.Platform == gone.Platform && o.Token == gone.Token })
		d.known.Add(user, l)
	}
}
