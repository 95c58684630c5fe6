package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
)

// Defaults for Config fields that are zero.
const (
	defaultServiceName       = "im-service"
	defaultConnectTimeout    = 10 * time.Second
	defaultRequestTimeout    = 30 * time.Second
	defaultHeartbeatInterval = 30 * time.Second
	defaultMaxRetries        = 3
	defaultRetryInterval     = 5 * time.Second
	defaultMoveWithin        = 5 * time.Second

	forEver = -1 // as MaxRetries
)

var silent = slog.New(slog.DiscardHandler)

// Config says who a Client is and how it behaves. Only UserID is required and, for NewClient, a
// way to find the service: Discovery, Services, Client.SetServices or a LoadBalancer that was
// Updated. The Config is copied; changing it later has no effect.
type Config struct {
	// ServiceName is what Discovery is asked for. Default im-service.
	ServiceName string
	// Discovery finds the service, and tells of its changes, which the client follows, see
	// MoveWithin. Clients with the same Discovery and ServiceName share one watch. nil: the
	// addresses are given.
	Discovery discovery.ServiceDiscovery
	// LoadBalancer chooses among the instances. Default round robin. A ConsistentHashBalancer whose
	// Key is the user's ID sends him to the same node every time.
	LoadBalancer discovery.LoadBalancer
	// Services are the instances when there is no Discovery.
	Services []*discovery.ServiceInfo

	// ConnectTimeout bounds one attempt to connect. Default 10 s.
	ConnectTimeout time.Duration
	// RequestTimeout bounds every call, and a send until it is acknowledged, unless their context
	// has a deadline; and for how long an upload may stand still. Default 30 s.
	RequestTimeout time.Duration
	// HeartbeatInterval is the time between heartbeats. Default 30 s; the server may ask for a
	// shorter one. A connection on which nothing was heard since the last heartbeat is given up.
	HeartbeatInterval time.Duration
	// MaxRetries is how often a lost connection is tried again before the client gives up.
	// Negative: for ever. Default 3, over somebody else's connection for ever.
	MaxRetries int
	// RetryInterval is the unit of the default Backoff. Default 5 s.
	RetryInterval time.Duration
	// MoveWithin is how soon the client leaves its instance when Discovery says that it is gone or
	// unhealthy and that there is another one, or when the balancer is a StickyBalancer and chooses
	// another one. It waits a random time between a quarter of MoveWithin and all of it, as other
	// clients will do the same and changes rarely come alone, opens the new connection before it ends the old one, has what was sent answered, and repeats
	// on the new one what has no answer. Default 5 s. Negative: it stays until its connection
	// ends, and asks Discovery whenever it connects.
	MoveWithin time.Duration
	// Backoff returns how long to wait before the given attempt, the first being 1. By default
	// a random time up to RetryInterval, doubled with each further attempt, at most a minute. When the
	// server has advised to wait longer, being overloaded or about to stop, the client waits as long as
	// that, up to a minute. It must not wait for the client, as Disconnect does.
	Backoff func(attempt int) time.Duration

	// UserID is who the client is.
	UserID string
	// DefaultRoomID is joined on connecting. Empty: messages of all the user's rooms arrive;
	// otherwise those of this room and of the rooms joined through the client.
	DefaultRoomID string
	// DeviceID names the installation, so that each device of a user gets everything. Clients
	// without one share what they have received. Printable ASCII, without blanks at its ends.
	DeviceID string

	// Token is sent as `authorization: Bearer`. Empty: none.
	Token string
	// TokenSource, when set, is asked for the token at every connection, call and heartbeat,
	// from several goroutines, and replaces Token. It should cache what it returns. One that does not
	// answer before its context ends is not waited for. An error of its own fails that call or attempt
	// to connect, and costs a heartbeat its token; it never ends the client.
	TokenSource func(ctx context.Context) (string, error)
	// TLS has connections encrypted, and says which servers are trusted. nil: plain text, tokens
	// included, which is for development and for networks that are encrypted by other means.
	TLS *tls.Config
	// DialOptions are added to the client's own, and win over them, TLS included.
	DialOptions []grpc.DialOption

	// RoomService is imv1.NewRoomServiceClient of the connection that a client is lent, for the calls about
	// rooms and their members, which return ErrNoRoomService without it. NewClient makes its own.
	RoomService imv1.RoomServiceClient

	// Logger gets what the client decides by itself; nothing is logged per message. Default:
	// nothing is logged.
	Logger *slog.Logger

	// Validate is asked about everything that OnMessage is to get, just before it. What it
	// returns an error for OnMessage does not get: it is acknowledged and counted in
	// Stats.Invalid, and OnError is told with an *InvalidMessageError. It is asked about what History, Past
	// and Sync return as well, by the goroutines that call them, and what it refuses is left out there.
	Validate func(*imv1.MessageResponse) error
	// OnMessage gets every message, notice and push. Returning acknowledges it; without an
	// OnMessage everything is acknowledged on arrival.
	OnMessage func(*imv1.MessageResponse)
	// OnEphemeral gets what members who are there tell each other and nobody keeps, such as that one is
	// typing. Of one user, room and kind only the last may come. The server sends them to clients that have
	// OnEphemeral or OnPresence, and nothing of either to others.
	OnEphemeral func(*Ephemeral)
	// OnPresence gets who has come, gone, or looked away among those that WatchPresence has named.
	OnPresence func(*imv1.PresenceContent)
	// OnConnect is called after every successful connection, the first included.
	OnConnect func()
	// OnDisconnect is called once for every OnConnect, with why the connection ended:
	// ErrDisconnected after Disconnect, ErrMoved when it went to another instance by itself, a
	// *DisconnectError when the server closed it, else the error of the stream.
	OnDisconnect func(error)
	// OnError is called with every failure that no method returns: a lost connection (just
	// before OnDisconnect; not if its node went out of service in an orderly way), an attempt to reconnect that failed, and at last ErrGaveUp when
	// there will be no other.
	OnError func(error)
}

// DefaultConfig returns a Config with the defaults filled in and a round robin balancer. UserID
// and the addresses remain to be set.
func DefaultConfig() *Config {
	cfg := new(Config).withDefaults()
	cfg.MaxRetries = defaultMaxRetries
	cfg.LoadBalancer = discovery.NewRoundRobinBalancer()
	return &cfg
}

func (c *Config) withDefaults() Config {
	cfg := *c
	setDefault(&cfg.ServiceName, defaultServiceName)
	setDefault(&cfg.ConnectTimeout, defaultConnectTimeout)
	setDefault(&cfg.RequestTimeout, defaultRequestTimeout)
	setDefault(&cfg.HeartbeatInterval, defaultHeartbeatInterval)
	setDefault(&cfg.RetryInterval, defaultRetryInterval)
	setDefault(&cfg.MoveWithin, defaultMoveWithin)
	if cfg.Logger == nil {
		cfg.Logger = silent
	}
	return cfg
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check tells what of c cannot be meant; nil is no Config.
func (c *Config) check() error {
	if c == nil {
		return errors.New("client: no Config")
	}
	if c.UserID == "" {
		return errors.New("client: Config.UserID is empty")
	}
	for name, d := range map[string]time.Duration{
		"ConnectTimeout":    c.ConnectTimeout,
		"RequestTimeout":    c.RequestTimeout,
		"HeartbeatInterval": c.HeartbeatInterval,
		"RetryInterval":     c.RetryInterval,
	} {
		if d < 0 {
			return errors.New("client: Config." + name + " is negative")
		}
	}
	for name, id := range map[string]string{"UserID": c.UserID, "DefaultRoomID": c.DefaultRoomID} {
		if !utf8.ValidString(id) {
			return fmt.Errorf("client: Config.%s %q is not valid UTF-8", name, id)
		}
	}
	if !headerSafe(c.DeviceID) {
		return fmt.Errorf("client: Config.DeviceID %q has other characters than printable ASCII, or blanks at its ends", c.DeviceID)
	}
	return nil
}
