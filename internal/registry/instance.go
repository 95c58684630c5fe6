package registry

import (
	kregistry "github.com/go-kratos/kratos/v2/registry"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// Instance is one service of one node.
type Instance = plugin.Instance

// What the schemes of addresses are, and metadata that has a key of its own in the configuration.
const (
	plain    = "grpc"
	secure   = "grpcs"
	metaZone = "zone"
)

// asKratos returns an instance as Kratos has it, under a name.
func asKratos(i Instance, name string) *kregistry.ServiceInstance {
	return &kregistry.ServiceInstance{
		ID: i.ID(), Name: name, Version: i.Version, Metadata: i.AllMetadata(),
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
