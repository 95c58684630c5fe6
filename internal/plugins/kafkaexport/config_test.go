package kafkaexport_test

import (
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/plugins/kafkaexport"
)

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	for says, set := range map[string]func(*kafkaexport.Config){
		"brokers is empty":                           func(c *kafkaexport.Config) { c.Brokers = nil },
		`brokers has "kafka"; host:port`:             func(c *kafkaexport.Config) { c.Brokers = []string{"a:1", "kafka"} },
		`brokers has ":9092"; host:port`:             func(c *kafkaexport.Config) { c.Brokers = []string{":9092"} },
		`topic is "a b"; 1 to 249`:                   func(c *kafkaexport.Config) { c.Topic = "a b" },
		`topic is ".."; 1 to 249`:                    func(c *kafkaexport.Config) { c.Topic = ".." },
		"partitions is -1; 0 to 10000":               func(c *kafkaexport.Config) { c.Partitions = -1 },
		"replicas is 10; 0 to 9":                     func(c *kafkaexport.Config) { c.Replicas = 10 },
		"max_age is 1ms; 0 and from 1s":              func(c *kafkaexport.Config) { c.MaxAge = time.Millisecond },
		`compression is "rar"; gzip, lz4, none, sn`:  func(c *kafkaexport.Config) { c.Compression = "rar" },
		"max_message_bytes is 1; 1024 to":            func(c *kafkaexport.Config) { c.MaxMessageBytes = 1 },
		"in_flight is 0; 1 to 4096":                  func(c *kafkaexport.Config) { c.InFlight = 0 },
		"ack_timeout is 0s; 100ms":                   func(c *kafkaexport.Config) { c.AckTimeout = 0 },
		"cert_file and key_file are given":           func(c *kafkaexport.Config) { c.TLS, c.CertFile = true, "f" },
		"ca_file, cert_file and key_file are for":    func(c *kafkaexport.Config) { c.CAFile = "f" },
		"user and password are for sasl; set it to":  func(c *kafkaexport.Config) { c.User, c.Password = "u", "p" },
		`sasl is "gssapi"; plain, scram-sha-256, sc`: func(c *kafkaexport.Config) { c.SASL, c.User, c.Password = "gssapi", "u", "p" },
		`sasl is "plain", which needs user and pass`: func(c *kafkaexport.Config) { c.SASL, c.User = "plain", "u" },
	} {
		e := kafkaexport.New()
		set(e.Config().(*kafkaexport.Config))
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
