package redisbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say where Redis is and who asks.
type Options struct {
	// Addrs are host:port: of one server, or of some nodes of a Redis Cluster.
	Addrs []string
	// Cluster has channels sharded over the nodes of a Redis Cluster, which takes Redis 7.
	Cluster bool
	// User and Password are shown to the server; an empty user is the default one.
	User, Password string
	// TLS secures the connections; nil: they are plain.
	TLS *tls.Config
	// Lanes is how many connections of a cluster's node subscribe, each to one master's share of the
	// channels. Default: 16. All nodes have the same.
	Lanes int
}

const (
	dialTimeout = 3 * time.Second
	ioTimeout   = 3 * time.Second
	// A server is lost that says nothing for silence, being pinged every pingEvery.
	pingEvery = 2 * time.Second
	silence   = 6 * time.Second

	defaultLanes = 16
	maxLanes     = 256
	// largest is how large a message may be. Redis itself would take 512 MiB.
	largest = 8 << 20
)

func (o *Options) validate() error {
	if o.Lanes == 0 {
		o.Lanes = defaultLanes
	}
	switch {
	case len(o.Addrs) == 0:
		return errors.New("redisbroker: an address is needed")
	case len(o.Addrs) > 1 && !o.Cluster:
		return fmt.Errorf("redisbroker: %d addresses, but no cluster: one is allowed", len(o.Addrs))
	case o.User != "" && o.Password == "":
		return errors.New("redisbroker: a user without a password")
	case o.Lanes < 1 || o.Lanes > maxLanes:
		return fmt.Errorf("redisbroker: %d lanes: 1 to %d are allowed", o.Lanes, maxLanes)
	}
	for _, addr := range o.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("redisbroker: address %q: it takes host:port", addr)
		}
	}
	return nil
}

// silent drops what go-redis would write to standard error, once for each try to connect: outages are told
// by Sink.Disconnected.
type silent struct{}

// Printf implements the logger of go-redis.
func (silent) Printf(context.Context, string, ...any) {}

// silenceRedis: go-redis has one logger for all of a process.
var silenceRedis = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

// client returns a client that does not connect before it is used. Errors are not tried again: what is old
// is worth nothing.
func (o *Options) client() redis.UniversalClient {
	silenceRedis()
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if o.Cluster {
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: o.Addrs, Username: o.User, Password: o.Password, TLSConfig: o.TLS, Protocol: 2, DisableIdentity: true,
			MaxRetries: -1, DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
			ContextTimeoutEnabled: true, MaintNotificationsConfig: quiet, PoolSize: 4,
		})
	}
	return redis.NewClient(&redis.Options{
		Addr: o.Addrs[0], Username: o.User, Password: o.Password, TLSConfig: o.TLS, Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		ContextTimeoutEnabled: true, MaintNotificationsConfig: quiet, PoolSize: 4,
	})
}
