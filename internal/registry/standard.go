package registry

import (
	"context"
	"fmt"

	kregistry "github.com/go-kratos/kratos/v2/registry"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// Standard returns the registries that are shipped: nacos, etcd and consul.
func Standard() []plugin.Plugin {
	return []plugin.Plugin{&kind{name: conf.RegistryNacos}, &kind{name: conf.RegistryEtcd}, &kind{name: conf.RegistryConsul}}
}

// kind is a registry as a plugin.
type kind struct {
	name string
	keys struct {
		Addrs     string       `json:"addrs"` // host:port, with commas between them
		Namespace string       `json:"namespace"`
		Group     string       `json:"group"`   // nacos
		Cluster   string       `json:"cluster"` // nacos
		Username  string       `json:"username"`
		Password  string       `json:"password"`
		Token     string       `json:"token"` // consul
		TLS       conf.TLSKeys `json:"tls"`
	}
}

// Name is the value of registry.type that chooses it.
func (k *kind) Name() string { return k.name }

// Config implements plugin.Configurable.
func (k *kind) Config() any { return &k.keys }

// OpenRegistry implements plugin.Registry.
func (k *kind) OpenRegistry(u plugin.RegistryUse) (plugin.RegistryConn, error) {
	t := k.keys.TLS
	return Open(&conf.Registry{
		Type: k.name, Addrs: k.keys.Addrs, Namespace: k.keys.Namespace, Group: k.keys.Group, Cluster: k.keys.Cluster,
		Username: k.keys.Username, Password: k.keys.Password, Token: k.keys.Token, Ttl: durationpb.New(u.TTL),
		Tls: &conf.Registry_TLS{Enabled: t.Enabled, CaFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile, ServerName: t.ServerName},
	}, u.Dir)
}

// watch implements plugin.RegistryWatcher by a kregistry.Discovery of its own: some of Kratos' are of no use any
// more once a watch of theirs has failed.
func watch(ctx context.Context, service string, discovery func(context.Context) (kregistry.Discovery, error), found func([]plugin.Endpoint)) error {
	// The registries' clients may wait for a server as long as they are let.
	call, cancel := context.WithTimeout(ctx, callTimeout)
	d, err := discovery(call)
	cancel()
	if err != nil {
		return err
	}
	w, err := d.Watch(ctx, service)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer w.Stop() //nolint:errcheck // there is nothing left to be done about it
	for {
		instances, err := w.Next()
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		found(addresses(instances))
	}
}
