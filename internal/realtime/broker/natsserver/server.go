// Package natsserver runs a NATS server within the node. The servers of all nodes form a NATS cluster, by
// routes that each of them is told of; nothing else has to be installed. Only the node itself is a client:
// nats-server begins no routes without a port for clients, so there is one, on the loopback, for whoever knows
// a token that was made at random and never leaves the process.
//
// A Server's goroutines are nats-server's; Close ends them.
package natsserver

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Options say where the servers meet.
type Options struct {
	// Cluster names the NATS cluster: letters, digits, dashes, underscores.
	Cluster string
	// Node names this server. It is unique, and new with every start.
	Node string
	// Listen is where the other nodes' servers connect to: host:port; port 0 is any.
	Listen string
	// Advertise is what others reach Listen as; empty: as it is.
	Advertise string
	// Routes are where the other nodes' servers listen, host:port each. Those that are not there yet are
	// tried for ever, and one that is there tells of the rest. Naming this node itself does not matter.
	Routes []string
	// User and Password are what nodes show each other; both or neither.
	User, Password string
	// TLS secures the routes, with a certificate that is shown and asked for on both sides.
	TLS *tls.Config
	// MaxPayload is how large a message may be, in bytes. Default: 8 MiB.
	MaxPayload int
	// Log takes what operators should know.
	Log *slog.Logger
}

const (
	startWait      = 10 * time.Second
	defaultLargest = 8 << 20 // beyond, nats-server warns
)

// Server is a NATS server within the process. It implements nats.InProcessConnProvider.
type Server struct {
	*server.Server
	token string
}

// Token is what the node shows as a client.
func (s *Server) Token() string { return s.token }

// Start starts one and returns when it takes connections, or what is wrong.
func Start(o Options) (*Server, error) {
	opts, err := o.translate()
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	s.SetLoggerV2(&logger{log: o.Log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startWait) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("natsserver: no server on %s within %v; its log says why", o.Listen, startWait)
	}
	return &Server{s, opts.Authorization}, nil
}

// Routed is where other servers connect to.
func (s *Server) Routed() string { return s.ClusterAddr().String() }

// Close stops the server.
func (s *Server) Close() {
	s.Shutdown()
	s.WaitForShutdown()
}

func (o *Options) translate() (*server.Options, error) {
	if o.Log == nil || o.Cluster == "" || o.Node == "" {
		return nil, errors.New("natsserver: a cluster's name, a node's name and a log are needed")
	}
	if (o.User == "") != (o.Password == "") {
		return nil, errors.New("natsserver: user and password are given together, or neither")
	}
	host, port, err := splitAddr(o.Listen)
	if err != nil {
		return nil, err
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	largest := o.MaxPayload
	if largest == 0 {
		largest = defaultLargest
	}
	opts := &server.Options{
		ServerName: o.Node, Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: rand.Text(), NoSigs: true,
		MaxPayload: int32(min(largest, 64<<20)), DisableShortFirstPing: true,
		Cluster: server.ClusterOpts{
			Name: o.Cluster, Host: host, Port: port, Advertise: o.Advertise,
			Username: o.User, Password: o.Password, ConnectRetries: -1, ConnectBackoff: true, PoolSize: -1,
			PingInterval: 5 * time.Second, MaxPingsOut: 2, // a node that is gone without a word
		},
	}
	if o.TLS != nil {
		opts.Cluster.TLSConfig = o.TLS
		opts.Cluster.TLSTimeout = 3
	}
	for _, route := range o.Routes {
		if _, _, err := splitAddr(route); err != nil {
			return nil, err
		}
		u := &url.URL{Scheme: "nats-route", Host: route}
		if o.User != "" {
			u.User = url.UserPassword(o.User, o.Password)
		}
		opts.Routes = append(opts.Routes, u)
	}
	return opts, nil
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("natsserver: address %q: it takes host:port", addr)
	}
	return host, port, nil
}

// logger is nats-server's log: notices, such as that it starts, are for whoever wants details.
type logger struct{ log *slog.Logger }

func text(format string, v []any) string { return strings.TrimSpace(fmt.Sprintf(format, v...)) }

// Noticef implements server.Logger.
func (l *logger) Noticef(format string, v ...any) { l.log.Debug("NATS: " + text(format, v)) }

// Warnf implements server.Logger.
func (l *logger) Warnf(format string, v ...any) { l.log.Warn("NATS: " + text(format, v)) }

// Fatalf implements server.Logger.
func (l *logger) Fatalf(format string, v ...any) { l.log.Error("NATS: " + text(format, v)) }

// Errorf implements server.Logger. What ends the server is fatal; this is another node that is not there, over and
// over.
func (l *logger) Errorf(format string, v ...any) { l.log.Warn("NATS: " + text(format, v)) }

// Debugf implements server.Logger.
func (l *logger) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *logger) Tracef(string, ...any) {}
