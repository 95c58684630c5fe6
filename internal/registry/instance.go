package registry

import (
	"maps"
	"net"
	"strconv"

	kregistry "github.com/go-kratos/kratos/v2/registry"

	"github.com/game-im/hermod/internal/conf"
)

// What Kratos puts behind the name of a gRPC service, and in front of its address: its consumers that
// dial with TLS look for the second one, and the others for the first.
const (
	plain  = "grpc"
	secure = "grpcs"
)

// Metadata that every instance has. Kratos' consumers read the weight there.
const (
	metaKind    = "kind"
	metaVersion = "version"
	metaWeight  = "weight"
	metaZone    = "zone"
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
	Weight   int
	Metadata map[string]string // without what has a field of its own
}

// Name is what consumers look for.
func (i Instance) Name() string {
	if i.Suffixed {
		return i.Service + "." + i.Scheme()
	}
	return i.Service
}

// Scheme is that of the instance's address.
func (i Instance) Scheme() string {
	if i.Secure {
		return secure
	}
	return plain
}

// ID is the same whenever a node with this address registers, so that one that died and came back
// takes its own place.
func (i Instance) ID() string { return i.Name() + "-" + i.Host + "-" + strconv.Itoa(i.Port) }

// Addr is host:port.
func (i Instance) Addr() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }

func (i Instance) metadata() map[string]string {
	m := maps.Clone(i.Metadata)
	if m == nil {
		m = map[string]string{}
	}
	m[metaKind], m[metaVersion], m[metaWeight] = i.Scheme(), i.Version, strconv.Itoa(i.Weight)
	return m
}

// kratos returns the instance as Kratos has it, under a name.
func (i Instance) kratos(name string) *kregistry.ServiceInstance {
	return &kregistry.ServiceInstance{
		ID: i.ID(), Name: name, Version: i.Version, Metadata: i.metadata(),
		Endpoints: []string{i.Scheme() + "://" + i.Addr()},
	}
}

// Addrs is where consumers reach the services of this node.
type Addrs struct{ IM, Gateway Addr }

// Instances returns what a node registers: each service under both of its names. version is what the
// node has unless the configuration says otherwise.
func Instances(c *conf.Registry, at Addrs, version string) []Instance {
	if c.GetType() == conf.RegistryNone {
		return nil
	}
	if v := c.GetVersion(); v != "" {
		version = v
	}
	metadata := map[string]string{}
	if zone := c.GetZone(); zone != "" {
		metadata[metaZone] = zone
	}
	for _, e := range c.GetMetadata() {
		metadata[e.GetName()] = e.GetValue()
	}
	var all []Instance
	for _, s := range []struct {
		name string
		at   Addr
	}{{c.GetNames().GetIm(), at.IM}, {c.GetNames().GetGateway(), at.Gateway}} {
		for _, suffixed := range []bool{true, false} {
			all = append(all, Instance{
				Service: s.name, Suffixed: suffixed, Secure: s.at.Secure, Host: s.at.Host, Port: s.at.Port,
				Version: version, Weight: int(c.GetWeight()), Metadata: metadata,
			})
		}
	}
	return all
}
