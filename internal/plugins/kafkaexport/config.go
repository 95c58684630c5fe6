package kafkaexport

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Config is its keys.
type Config struct {
	Brokers         []string      `json:"brokers"`           // host:port of some brokers of one cluster
	TLS             bool          `json:"tls"`               // whether they are spoken to by TLS
	CAFile          string        `json:"ca_file"`           // who signs the brokers' certificates; empty: the system's authorities
	CertFile        string        `json:"cert_file"`         // shown to brokers
	KeyFile         string        `json:"key_file"`          // of cert_file
	SASL            string        `json:"sasl"`              // a mechanism; empty: the node does not say who it is
	User            string        `json:"user"`              // with sasl
	Password        string        `json:"password"`          // with sasl
	Topic           string        `json:"topic"`             // its name
	CreateTopic     bool          `json:"create_topic"`      // if there is none of that name
	Partitions      int           `json:"partitions"`        // of a topic that is created; 0: as many as the cluster gives any
	Replicas        int           `json:"replicas"`          // on how many brokers it is; 0: as the cluster has it
	MaxAge          time.Duration `json:"max_age"`           // how long it keeps events; 0: for ever
	Compression     string        `json:"compression"`       // of batches
	MaxMessageBytes int           `json:"max_message_bytes"` // the largest batch, and so the largest event
	InFlight        int           `json:"in_flight"`         // how many events may be without an acknowledgement
	AckTimeout      time.Duration `json:"ack_timeout"`       // after which a batch is sent again
}

// largestMessage is what brokers take unless they are told otherwise, in a client's count.
const largestMessage = 1_000_012

func defaults() Config {
	return Config{
		Brokers: []string{"127.0.0.1:9092"}, Topic: "hermod.rooms", MaxAge: 7 * 24 * time.Hour, Compression: "snappy",
		MaxMessageBytes: largestMessage, InFlight: 256, AckTimeout: 5 * time.Second,
	}
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

var mechanisms = map[string]func(user, password string) sasl.Mechanism{
	"plain":         func(u, p string) sasl.Mechanism { return plain.Auth{User: u, Pass: p}.AsMechanism() },
	"scram-sha-256": func(u, p string) sasl.Mechanism { return scram.Auth{User: u, Pass: p}.AsSha256Mechanism() },
	"scram-sha-512": func(u, p string) sasl.Mechanism { return scram.Auth{User: u, Pass: p}.AsSha512Mechanism() },
}

func (c *Config) check() error {
	if len(c.Brokers) == 0 {
		return errors.New("brokers is empty; name one, such as 127.0.0.1:9092")
	}
	for _, b := range c.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			return fmt.Errorf("brokers has %q; host:port is allowed", b)
		}
	}
	if !topicName.MatchString(c.Topic) || c.Topic == "." || c.Topic == ".." {
		return fmt.Errorf("topic is %q; 1 to 249 letters, digits, ., _ and - are allowed", c.Topic)
	}
	if _, known := codecs[c.Compression]; !known {
		return fmt.Errorf("compression is %q; %s are allowed", c.Compression, names(codecs))
	}
	if err := c.checkBounds(); err != nil {
		return err
	}
	return c.checkIdentity()
}

func (c *Config) checkBounds() error {
	switch {
	case c.Partitions < 0 || c.Partitions > 10_000:
		return fmt.Errorf("partitions is %d; 0 to 10000 are allowed", c.Partitions)
	case c.Replicas < 0 || c.Replicas > 9:
		return fmt.Errorf("replicas is %d; 0 to 9 are allowed", c.Replicas)
	case c.MaxAge < 0 || c.MaxAge > 0 && c.MaxAge < time.Second:
		return fmt.Errorf("max_age is %s; 0 and from 1s on are allowed", c.MaxAge)
	case c.MaxMessageBytes < 1<<10 || c.MaxMessageBytes > 64<<20:
		return fmt.Errorf("max_message_bytes is %d; %d to %d are allowed", c.MaxMessageBytes, 1<<10, 64<<20)
	case c.InFlight < 1 || c.InFlight > 4096:
		return fmt.Errorf("in_flight is %d; 1 to 4096 are allowed", c.InFlight)
	case c.AckTimeout < 100*time.Millisecond || c.AckTimeout > time.Minute:
		return fmt.Errorf("ack_timeout is %s; 100ms to 1m are allowed", c.AckTimeout)
	}
	return nil
}

// checkIdentity refuses halves of what says who the node and the brokers are: a password that is not sent, or an
// authority that nobody is held against, is a mistake.
func (c *Config) checkIdentity() error {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errors.New("cert_file and key_file are given together, or neither")
	}
	if !c.TLS && (c.CAFile != "" || c.CertFile != "") {
		return errors.New("ca_file, cert_file and key_file are for tls: true; set it, or leave them out")
	}
	_, known := mechanisms[c.SASL]
	switch {
	case c.SASL == "" && (c.User != "" || c.Password != ""):
		return fmt.Errorf("user and password are for sasl; set it to one of %s", names(mechanisms))
	case c.SASL != "" && !known:
		return fmt.Errorf("sasl is %q; %s are allowed", c.SASL, names(mechanisms))
	case c.SASL != "" && (c.User == "" || c.Password == ""):
		return fmt.Errorf("sasl is %q, which needs user and password", c.SASL)
	}
	return nil
}

func names[V any](of map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(of)), ", ") }
