package natsexport

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config is its keys.
type Config struct {
	URLs          []string      `json:"urls"`           // nats:// or tls://, servers of one cluster
	User          string        `json:"user"`           // with password
	Password      string        `json:"password"`       //
	Token         string        `json:"token"`          // instead
	CredsFile     string        `json:"creds_file"`     // instead: a JWT and the seed of a key
	NKeyFile      string        `json:"nkey_file"`      // instead: the seed of a key
	CAFile        string        `json:"ca_file"`        // who signs the servers' certificates; empty: the system's authorities
	CertFile      string        `json:"cert_file"`      // shown to servers
	KeyFile       string        `json:"key_file"`       // of cert_file
	Stream        string        `json:"stream"`         // its name
	SubjectPrefix string        `json:"subject_prefix"` // of all subjects
	CreateStream  bool          `json:"create_stream"`  // if there is none of that name
	MaxAge        time.Duration `json:"max_age"`        // how long a stream that is created keeps events; 0: for ever
	MaxBytes      int64         `json:"max_bytes"`      // how much it keeps; 0: any
	Replicas      int           `json:"replicas"`       // on how many servers
	InFlight      int           `json:"in_flight"`      // how many events may be without an acknowledgement
	AckTimeout    time.Duration `json:"ack_timeout"`    // after which an event is published again
}

func defaults() Config {
	return Config{
		URLs: []string{nats.DefaultURL}, Stream: "HERMOD", SubjectPrefix: "hermod.rooms", MaxAge: 7 * 24 * time.Hour,
		Replicas: 1, InFlight: 256, AckTimeout: 5 * time.Second,
	}
}

// dedupe is how long a stream that is created knows events again.
const dedupe = 2 * time.Minute

var (
	streamName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	prefixed   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

func (c *Config) check() error {
	switch {
	case len(c.URLs) == 0:
		return errors.New("urls is empty; name a server, such as nats://127.0.0.1:4222")
	case !streamName.MatchString(c.Stream):
		return fmt.Errorf("stream is %q; 1 to 64 letters, digits, _ and - are allowed", c.Stream)
	case !prefixed.MatchString(c.SubjectPrefix) || len(c.SubjectPrefix) > 128:
		return fmt.Errorf("subject_prefix is %q; up to 128 letters, digits, _ and - with single dots between them are allowed", c.SubjectPrefix)
	case c.MaxAge < 0 || c.MaxAge > 0 && c.MaxAge < dedupe:
		return fmt.Errorf("max_age is %s; 0 and from %s on are allowed", c.MaxAge, dedupe)
	case c.MaxBytes < 0:
		return fmt.Errorf("max_bytes is %d; 0 and more is allowed", c.MaxBytes)
	case c.Replicas < 1 || c.Replicas > 5:
		return fmt.Errorf("replicas is %d; 1 to 5 are allowed", c.Replicas)
	case c.InFlight < 1 || c.InFlight > 4096:
		return fmt.Errorf("in_flight is %d; 1 to 4096 are allowed", c.InFlight)
	case c.AckTimeout < 100*time.Millisecond || c.AckTimeout > time.Minute:
		return fmt.Errorf("ack_timeout is %s; 100ms to 1m are allowed", c.AckTimeout)
	}
	return c.checkIdentity()
}

// checkIdentity refuses more than one way to say who the node is.
func (c *Config) checkIdentity() error {
	if (c.User == "") != (c.Password == "") {
		return errors.New("user and password are given together, or neither")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errors.New("cert_file and key_file are given together, or neither")
	}
	var ways []string
	for _, way := range [][2]string{{"user", c.User}, {"token", c.Token}, {"creds_file", c.CredsFile}, {"nkey_file", c.NKeyFile}} {
		if way[1] != "" {
			ways = append(ways, way[0])
		}
	}
	if len(ways) > 1 {
		return fmt.Errorf("%s are set; one of them is allowed", strings.Join(ways, " and "))
	}
	return nil
}

func (c *Config) servers() string { return strings.Join(c.URLs, ",") }

// subject is where an event of a room goes. Services follow one room, one kind of event in all of them, or everything.
func (c *Config) subject(room, kind string) string {
	return c.SubjectPrefix + "." + token(room) + "." + kind
}

// token writes a name as one token of a subject: what is no ASCII letter, digit, _ or - becomes %XX, byte by byte, as
// in URLs.
func token(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// options are those of the connection, which never gives up, whatever a server that it was connected to says of its
// credentials, and keeps nothing of what is published while it is away: the window does.
func (e *Export) options() ([]nats.Option, error) {
	c := &e.config
	options := []nats.Option{
		nats.Name("hermod nats-export"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(500 * time.Millisecond), nats.Timeout(3 * time.Second), nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				e.log.Warn("NATS is away", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { e.log.Info("NATS is there") }),
	}
	switch {
	case c.User != "":
		options = append(options, nats.UserInfo(c.User, c.Password))
	case c.Token != "":
		options = append(options, nats.Token(c.Token))
	case c.CredsFile != "":
		options = append(options, nats.UserCredentials(c.CredsFile))
	case c.NKeyFile != "":
		key, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("nkey_file: %w", err)
		}
		options = append(options, key)
	}
	if c.CAFile != "" {
		options = append(options, nats.RootCAs(c.CAFile))
	}
	if c.CertFile != "" {
		options = append(options, nats.ClientCert(c.CertFile, c.KeyFile))
	}
	return options, nil
}

// ensure finds the stream, or makes it where that is wanted, and checks that it takes the subjects.
func (c *Config) ensure(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, c.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) && c.CreateStream {
		stream, err = js.CreateStream(ctx, c.stream())
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("there is no stream %s; make it, with the subjects %s.>, or set create_stream", c.Stream, c.SubjectPrefix)
	case err != nil:
		return fmt.Errorf("stream %s: %w", c.Stream, err)
	}
	taker, err := js.StreamNameBySubject(ctx, c.subject("a room", "message"))
	if err != nil || taker != c.Stream {
		return fmt.Errorf("stream %s has the subjects %q; %s.> is required", c.Stream, stream.CachedInfo().Config.Subjects, c.SubjectPrefix)
	}
	return nil
}

func (c *Config) stream() jetstream.StreamConfig {
	s := jetstream.StreamConfig{
		Name: c.Stream, Subjects: []string{c.SubjectPrefix + ".>"}, Description: "what is said in the rooms of Hermod",
		Storage: jetstream.FileStorage, MaxAge: c.MaxAge, MaxBytes: -1, Replicas: c.Replicas, Duplicates: dedupe,
	}
	if c.MaxBytes > 0 {
		s.MaxBytes = c.MaxBytes
	}
	return s
}
