package natsbroker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/game-im/hermod/internal/realtime/broker/pause"
)

// Options say where the servers are and who asks. Of the credentials at most one kind is given.
type Options struct {
	// URLs are addresses of servers of one NATS cluster: host:port, nats://host:port or tls://host:port.
	URLs []string
	// Server is one within the process, instead of URLs.
	Server nats.InProcessConnProvider
	// Name is what operators see in the server's list of connections. Default: hermod.
	Name string

	User, Password string
	Token          string
	CredsFile      string // a file with a JWT and the seed of a key
	NKeyFile       string // a file with the seed of a key

	// TLS secures the connection; nil: as the URLs say.
	TLS *tls.Config
	// Log takes what the server complains of. Default: nothing does.
	Log *slog.Logger
}

const (
	dialTimeout  = 3 * time.Second
	writeTimeout = 2 * time.Second
	// A server that answers no ping for as long is lost.
	pingEvery = 2 * time.Second
	pingsOut  = 2
	flushWait = 2 * time.Second
)

// validate tells what is wrong with the options.
func (o *Options) validate() error {
	kinds := 0
	for _, given := range []bool{o.User != "" || o.Password != "", o.Token != "", o.CredsFile != "", o.NKeyFile != ""} {
		if given {
			kinds++
		}
	}
	switch {
	case (o.Server == nil) == (len(o.URLs) == 0):
		return errors.New("natsbroker: either URLs or a server within the process are needed")
	case kinds > 1:
		return errors.New("natsbroker: one of user and password, token, creds file, nkey file is allowed")
	}
	for _, u := range o.URLs {
		scheme, rest, ok := strings.Cut(u, "://")
		if !ok {
			rest = scheme
		} else if scheme != "nats" && scheme != "tls" {
			return fmt.Errorf("natsbroker: address %q: it begins with nats:// or tls://, or is host:port", u)
		}
		if rest == "" || strings.Contains(u, ",") || strings.Contains(rest, "@") {
			return fmt.Errorf("natsbroker: address %q: it takes one host:port, and who asks stands elsewhere", u)
		}
	}
	return nil
}

// connect returns what nats.go is told. It reconnects for ever, also when the server refuses who asks:
// that may have been mended until then.
func (o *Options) connect() ([]nats.Option, error) {
	all := []nats.Option{
		nats.Name(o.Name), nats.NoEcho(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // what is published in an outage is dropped here, and told
		nats.CustomReconnectDelay(pause.After),
		nats.Timeout(dialTimeout), nats.FlusherTimeout(writeTimeout), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsOut),
	}
	if o.Server != nil {
		all = append(all, nats.InProcessServer(o.Server))
	}
	if o.TLS != nil {
		all = append(all, nats.Secure(o.TLS))
	}
	switch {
	case o.User != "" || o.Password != "":
		all = append(all, nats.UserInfo(o.User, o.Password))
	case o.Token != "":
		all = append(all, nats.Token(o.Token))
	case o.CredsFile != "":
		all = append(all, nats.UserCredentials(o.CredsFile))
	case o.NKeyFile != "":
		key, err := nats.NkeyOptionFromSeed(o.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("natsbroker: %s: %w", o.NKeyFile, err)
		}
		all = append(all, key)
	}
	return all, nil
}
