package discovery

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
)

// An Option says how a registry is reached, or how instances are registered with it. Not every
// registry has a use for every option: one that has none refuses it.
type Option struct {
	name  string
	apply func(*options)
}

// options is what the Options of one discovery amount to.
type options struct {
	tls                *tls.Config
	files              *TLSFiles
	token              string
	username, password string
	namespace          string
	datacenter         string
	group              string
	folder             string
	lease              time.Duration
	check              HealthCheck
	log                *slog.Logger
}

// TLSFiles are files in PEM.
type TLSFiles struct {
	CA         string // certificates of who is trusted; empty: whom the system trusts
	Cert, Key  string // what this side shows of itself; both or none
	ServerName string // what the registry's certificate must be for; empty: the host of its address
}

// HealthCheck says how Consul checks what is registered: it calls grpc.health.v1.Health/Check at
// the instance's address. Fields that are zero have the defaults.
type HealthCheck struct {
	Interval time.Duration // between two checks. Default 10 s. Negative: Consul does not check
	Timeout  time.Duration // of one check. Default 5 s
	// DeregisterAfter is how long an instance may fail before it is deregistered. Default 30 s;
	// Consul looks for such every 30 s, and takes no less than a minute for it.
	DeregisterAfter time.Duration
	TLS             bool // the instance speaks TLS
}

const (
	defaultCheckTimeout    = 5 * time.Second
	defaultDeregisterAfter = 30 * time.Second
	defaultLease           = 30 * time.Second
	minLease               = 2 * time.Second
)

// WithTLS has the connections to Consul or etcd encrypted, and says whom to trust.
func WithTLS(config *tls.Config) Option {
	return Option{"WithTLS", func(o *options) { o.tls = config }}
}

// WithTLSFiles is WithTLS with files, for any registry. Nacos takes no other form.
func WithTLSFiles(files TLSFiles) Option {
	return Option{"WithTLSFiles", func(o *options) { o.files = &files }}
}

// WithToken is for Consul with ACLs.
func WithToken(token string) Option { return Option{"WithToken", func(o *options) { o.token = token }} }

// WithCredentials says as who to log in to etcd or Nacos.
func WithCredentials(username, password string) Option {
	return Option{"WithCredentials", func(o *options) { o.username, o.password = username, password }}
}

// WithNamespace chooses a namespace of Nacos, by its ID, or of Consul Enterprise. That of etcd is
// the prefix.
func WithNamespace(namespace string) Option {
	return Option{"WithNamespace", func(o *options) { o.namespace = namespace }}
}

// WithDatacenter has instances looked for in another of Consul's datacenters than the agent's own.
// Instances are registered with the agent in any case.
func WithDatacenter(datacenter string) Option {
	return Option{"WithDatacenter", func(o *options) { o.datacenter = datacenter }}
}

// WithGroup chooses a group of Nacos. Default DEFAULT_GROUP.
func WithGroup(group string) Option { return Option{"WithGroup", func(o *options) { o.group = group }} }

// WithFolder is where the Nacos SDK keeps its files. By default they are among those of the system
// that are temporary, and most of them are removed by Close. The SDK has one log for a whole
// process: the first client of all decides where that is.
func WithFolder(folder string) Option {
	return Option{"WithFolder", func(o *options) { o.folder = folder }}
}

// WithLease is how long etcd lists what is registered after the program that registered it has died.
// Default 30 s, at least 2 s, in whole seconds.
func WithLease(d time.Duration) Option { return Option{"WithLease", func(o *options) { o.lease = d }} }

// WithHealthCheck says how Consul checks what is registered.
func WithHealthCheck(check HealthCheck) Option {
	return Option{"WithHealthCheck", func(o *options) { o.check = check }}
}

// WithLogger gets what happens to the registry, for any of them: once that it began to fail, and
// once that it is over. Default: nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return Option{"WithLogger", func(o *options) { o.log = logger }}
}

// choose returns what the Options amount to for a registry that has a use for these.
func choose(registry string, given []Option, useful ...string) (*options, error) {
	o := &options{lease: defaultLease, log: slog.New(slog.DiscardHandler)}
	for _, option := range given {
		if option.apply == nil {
			continue
		}
		if useful := append(useful, "WithLogger", "WithTLSFiles"); !slices.Contains(useful, option.name) {
			return nil, fmt.Errorf("discovery: %s has no use for %s; it has for %v", registry, option.name, useful)
		}
		option.apply(o)
	}
	if o.lease < minLease || o.lease%time.Second != 0 {
		return nil, fmt.Errorf("discovery: a lease of %v: allowed are whole seconds from %v", o.lease, minLease)
	}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// tlsConfig returns what connections are made with, nil for those without TLS.
func (o *options) tlsConfig() (*tls.Config, error) {
	if o.files == nil {
		return o.tls, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.files.ServerName}
	if o.files.CA != "" {
		pem, err := os.ReadFile(o.files.CA)
		if err != nil {
			return nil, fmt.Errorf("discovery: TLSFiles.CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("discovery: TLSFiles.CA: %s has no certificate in PEM", o.files.CA)
		}
	}
	if o.files.Cert != "" || o.files.Key != "" {
		cert, err := tls.LoadX509KeyPair(o.files.Cert, o.files.Key)
		if err != nil {
			return nil, fmt.Errorf("discovery: TLSFiles.Cert and Key: %w", err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}
