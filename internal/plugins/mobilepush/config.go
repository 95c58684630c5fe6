package mobilepush

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Config is its keys.
type Config struct {
	Devices  Devices       `json:"devices"`
	FCM      FCM           `json:"fcm"`
	APNs     APNs          `json:"apns"`
	Message  Texts         `json:"message"` // of what is said in rooms
	Push     Texts         `json:"push"`    // of what services push
	Collapse string        `json:"collapse"`
	TTL      time.Duration `json:"ttl"` // for how long a provider keeps it for a device that is off; 0: it does not
	Priority string        `json:"priority"`
	Sound    string        `json:"sound"` // empty: none
	Badge    int           `json:"badge"` // 0: stays as it is
	Mutable  bool          `json:"mutable"`
	// Background has the app woken up, and nothing shown but by itself.
	Background bool `json:"background"`
	Requests   int  `json:"requests"` // to one provider, at once
	// RequestTimeout bounds one of them, so that one which gets no answer leaves time for another.
	RequestTimeout time.Duration `json:"request_timeout"`
}

// Devices is the service that knows who has which.
type Devices struct {
	URL        string        `json:"url"`
	Token      string        `json:"token"`
	CAFile     string        `json:"ca_file"`
	Timeout    time.Duration `json:"timeout"`
	CacheTTL   time.Duration `json:"cache_ttl"` // 0: always asked
	CacheUsers int           `json:"cache_users"`
}

// FCM is the account at Firebase.
type FCM struct {
	ServiceAccountFile string `json:"service_account_file"`
	ChannelID          string `json:"channel_id"`
	URL                string `json:"url"`
	TokenURL           string `json:"token_url"` // empty: the file's
	CAFile             string `json:"ca_file"`
}

func (c *FCM) on() bool { return c.ServiceAccountFile != "" }

// APNs is the key from Apple.
type APNs struct {
	KeyFile    string `json:"key_file"`
	KeyID      string `json:"key_id"`
	TeamID     string `json:"team_id"`
	Topic      string `json:"topic"` // of devices that name none
	URL        string `json:"url"`
	SandboxURL string `json:"sandbox_url"`
	CAFile     string `json:"ca_file"`
}

func (c *APNs) on() bool { return c.KeyFile != "" }

// Texts are what is shown, as templates, and of what.
type Texts struct {
	Notify string `json:"notify"`
	Title  string `json:"title"`
	Body   string `json:"body"`
}

// What keys may be.
const (
	notifyAll       = "all"
	notifyMentioned = "mentioned"
	notifyNone      = "none"
	collapseRoom    = "room"
	collapseMessage = "message"
	priorityHigh    = "high"
	priorityNormal  = "normal"

	maxTTL      = 28 * 24 * time.Hour // FCM keeps nothing longer
	minToken    = 16
	maxRequests = 1000
)

func defaults() Config {
	return Config{
		Devices: Devices{Timeout: 5 * time.Second, CacheTTL: time.Minute, CacheUsers: 100_000},
		FCM:     FCM{URL: "https://fcm.googleapis.com"},
		APNs:    APNs{URL: "https://api.push.apple.com", SandboxURL: "https://api.sandbox.push.apple.com"},
		Message: Texts{Notify: notifyAll, Title: "New message"}, Push: Texts{Notify: notifyAll, Title: "New message"},
		Collapse: collapseRoom, TTL: 24 * time.Hour, Priority: priorityHigh, Sound: "default", Requests: 100, RequestTimeout: 5 * time.Second,
	}
}

func (c *Config) check() error {
	if err := c.checkOwn(); err != nil {
		return err
	}
	if !slices.Contains([]string{notifyAll, notifyMentioned, notifyNone}, c.Message.Notify) {
		return fmt.Errorf("message.notify is %q; all, mentioned and none are allowed", c.Message.Notify)
	}
	if !slices.Contains([]string{notifyAll, notifyNone}, c.Push.Notify) {
		return fmt.Errorf("push.notify is %q; all and none are allowed", c.Push.Notify)
	}
	if _, err := newWriter(c); err != nil {
		return err
	}
	if err := c.Devices.check(); err != nil {
		return fmt.Errorf("devices.%w", err)
	}
	if err := c.FCM.check(); err != nil {
		return fmt.Errorf("fcm.%w", err)
	}
	if err := c.APNs.check(); err != nil {
		return fmt.Errorf("apns.%w", err)
	}
	return nil
}

// checkOwn checks the keys that are in no section.
func (c *Config) checkOwn() error {
	switch {
	case !c.FCM.on() && !c.APNs.on():
		return errors.New("neither fcm.service_account_file nor apns.key_file is set; one of them is needed, or both")
	case c.Collapse != collapseRoom && c.Collapse != collapseMessage:
		return fmt.Errorf("collapse is %q; room and message are allowed", c.Collapse)
	case c.TTL < 0 || c.TTL > maxTTL:
		return fmt.Errorf("ttl is %s; 0s to 672h are allowed", c.TTL)
	case c.Priority != priorityHigh && c.Priority != priorityNormal:
		return fmt.Errorf("priority is %q; high and normal are allowed", c.Priority)
	case c.Badge < 0 || c.Badge > 99_999:
		return fmt.Errorf("badge is %d; 0 (it stays as it is) to 99999 are allowed", c.Badge)
	case c.Requests < 1 || c.Requests > maxRequests:
		return fmt.Errorf("requests is %d; 1 to %d are allowed", c.Requests, maxRequests)
	case c.RequestTimeout < 100*time.Millisecond || c.RequestTimeout > time.Minute:
		return fmt.Errorf("request_timeout is %s; 100ms to 1m are allowed", c.RequestTimeout)
	}
	return nil
}

func (c *Devices) check() error {
	switch {
	case len(c.Token) < minToken:
		return fmt.Errorf("token has %d bytes; %d or more are allowed, without spaces", len(c.Token), minToken)
	case !visible(c.Token):
		return errors.New("token has spaces, or what is not ASCII; a header cannot carry that")
	case c.Timeout < 100*time.Millisecond || c.Timeout > time.Minute:
		return fmt.Errorf("timeout is %s; 100ms to 1m are allowed", c.Timeout)
	case c.CacheTTL < 0 || c.CacheTTL > time.Hour:
		return fmt.Errorf("cache_ttl is %s; 0s (always asked) to 1h are allowed", c.CacheTTL)
	case c.CacheUsers < 1 || c.CacheUsers > 10_000_000:
		return fmt.Errorf("cache_users is %d; 1 to 10000000 are allowed", c.CacheUsers)
	}
	if err := checkURL("url", c.URL, "http", "https"); err != nil {
		return err
	}
	_, err := trusted(c.CAFile)
	return err
}

func (c *FCM) check() error {
	if !c.on() {
		return nil
	}
	account, err := readAccount(c)
	if err != nil {
		return err
	}
	if err := errors.Join(checkURL("url", c.URL, "http", "https"), checkURL("token_url", account.TokenURL, "http", "https")); err != nil {
		return err
	}
	_, err = trusted(c.CAFile)
	return err
}

func (c *APNs) check() error {
	if !c.on() {
		return nil
	}
	switch {
	case !alphanumeric(c.KeyID, 10):
		return fmt.Errorf("key_id is %q; it is the 10 letters and digits that Apple shows beside the key", c.KeyID)
	case !alphanumeric(c.TeamID, 10):
		return fmt.Errorf("team_id is %q; it is the 10 letters and digits of the account at Apple", c.TeamID)
	case c.Topic == "" || !visible(c.Topic) || len(c.Topic) > 255:
		return fmt.Errorf("topic is %q; it is the app's bundle id, such as com.example.app", c.Topic)
	}
	if _, err := readKey(c.KeyFile); err != nil {
		return err
	}
	// HTTP/2, which is all that APNs speaks, takes TLS.
	if err := errors.Join(checkURL("url", c.URL, "https"), checkURL("sandbox_url", c.SandboxURL, "https")); err != nil {
		return err
	}
	_, err := trusted(c.CAFile)
	return err
}

func checkURL(key, text string, schemes ...string) error {
	u, err := url.Parse(text)
	if err == nil && u.Host != "" && u.User == nil && u.Fragment == "" {
		for _, s := range schemes {
			if u.Scheme == s {
				return nil
			}
		}
	}
	kinds := "an https"
	if len(schemes) > 1 {
		kinds = "an http or https"
	}
	return fmt.Errorf("%s is not %s address without user and fragment, such as https://example.com/devices", key, kinds)
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func alphanumeric(s string, length int) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) == length
}
