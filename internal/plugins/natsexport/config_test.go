package natsexport_test

import (
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/plugins/natsexport"
)

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	for says, set := range map[string]func(*natsexport.Config){
		"urls is empty":                 func(c *natsexport.Config) { c.URLs = nil },
		`stream is "a b"`:               func(c *natsexport.Config) { c.Stream = "a b" },
		`subject_prefix is "a..b"`:      func(c *natsexport.Config) { c.SubjectPrefix = "a..b" },
		"max_age is 1s; 0 and from 2m":  func(c *natsexport.Config) { c.MaxAge = time.Second },
		"max_bytes is -1":               func(c *natsexport.Config) { c.MaxBytes = -1 },
		"replicas is 0; 1 to 5":         func(c *natsexport.Config) { c.Replicas = 0 },
		"in_flight is 0; 1 to 4096":     func(c *natsexport.Config) { c.InFlight = 0 },
		"ack_timeout is 0s; 100ms":      func(c *natsexport.Config) { c.AckTimeout = 0 },
		"user and password":             func(c *natsexport.Config) { c.User = "u" },
		"cert_file and key_file":        func(c *natsexport.Config) { c.CertFile = "f" },
		"token and nkey_file are set; ": func(c *natsexport.Config) { c.Token, c.NKeyFile = "t", "f" },
	} {
		e := natsexport.New()
		set(e.Config().(*natsexport.Config))
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
