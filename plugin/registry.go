package plugin

import (
	"context"
	"errors"
	"maps"
	"net"
	"strconv"
	"time"
)

// ErrMissing is what RegistryConn.Renew says when the registry works and does not have the instance as it
// should.
var ErrMissing = errors.New("the registry does not have the instance")

// Registry is the capability to make a node known to those who look for its services, and to find
// services of others. A node that is to be found has one, the plugin whose name is registry.type.
type Registry interface {
	// OpenRegistry returns a connection. It connects when it is first used, so that a registry that is
	// down is no error. It is called when the plugin has started, twice by a node: for what it registers,
	// and for what it looks for.
	OpenRegistry(u RegistryUse) (RegistryConn, error)
}

// RegistryUse is what a connection is told of its node.
type RegistryUse struct {
	Dir string        // for files of its own, below data.dir; no two connections have the same
	TTL time.Duration // how long a node that died is listed
}

// RegistryConn is a registry, as a node uses it. Methods honour ctx, may be called for several instances at
// once, and for one instance one after another. An error is told to people, and what was asked is asked again,
// ever less often.
type RegistryConn interface {
	// Register makes an instance known, in place of an earlier one with its ID, such as one with another
	// weight. Weight, version and metadata are told with it.
	Register(ctx context.Context, i Instance) error
	// Renew keeps an instance known that was registered, or returns an error that wraps ErrMissing. It is
	// called at least three times in a TTL, and is the heartbeat of registries that want one.
	Renew(ctx context.Context, i Instance) error
	// Listed tells whether the registry has an instance, and changes nothing.
	Listed(ctx context.Context, i Instance) (bool, error)
	// Deregister makes an instance unknown. That it was unknown is no error.
	Deregister(ctx context.Context, i Instance) error
	// Close ends the connection, after everything was deregistered that could be. It is called once.
	Close() error
}

// RegistryWatcher is the capability of a RegistryConn to find the services of others. Without it there is
// nothing to find.
type RegistryWatcher interface {
	// Watch tells found of what there is under a name, at once, as far as the registry says, and whenever
	// that changes, until ctx ends or the registry fails. Whoever watches does so again after an error, and
	// what was found last stands. found is called by one goroutine at a time and does not block.
	Watch(ctx context.Context, service string, found func([]Endpoint)) error
}

// Endpoint is an instance of a service as it is called.
type Endpoint struct {
	Address string // host:port
	Secure  bool   // speaks TLS
}

// The schemes of gRPC, which Kratos puts behind the name of a service, and in front of its address: its consumers
// that dial with TLS look for the second one, and the others for the first.
const (
	schemePlain  = "grpc"
	schemeSecure = "grpcs"
)

// Instance is one service of one node.
type Instance struct {
	Service string // without the scheme
	// Suffixed instances are named for Kratos, im-service.grpc; others for everybody, im-service.
	Suffixed bool
	Secure   bool   // speaks TLS
	Host     string // an IP address without brackets, or a name
	Port     int
	Version  string
	Weight   int               // 1 to 10000: how much of the traffic it is to get
	Metadata map[string]string // without what has a field of its own; not to be changed
}

// Name is what consumers look for.
func (i Instance) Name() string {
	if i.Suffixed {
		return i.Service + "." + i.Scheme()
	}
	return i.Service
}

// Scheme is that of the instance's address: grpc, or grpcs with TLS.
func (i Instance) Scheme() string {
	if i.Secure {
		return schemeSecure
	}
	return schemePlain
}

// ID is the same whenever a node with this address registers, so that one that died and came back
// takes its own place.
func (i Instance) ID() string { return i.Name() + "-" + i.Host + "-" + strconv.Itoa(i.Port) }

// Addr is host:port.
func (i Instance) Addr() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }

// AllMetadata returns the metadata with kind, version and weight, which Kratos' consumers read there. It is
// the caller's.
func (i Instance) AllMetadata() map[string]string {
	m := maps.Clone(i.Metadata)
	if m == nil {
		m = map[string]string{}
	}
	m["kind"], m["version"], m["weight"] = i.Scheme(), i.Version, strconv.Itoa(i.Weight)
	return m
}
