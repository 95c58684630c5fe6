package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	knacos "github.com/go-kratos/kratos/contrib/registry/nacos/v2"
	kregistry "github.com/go-kratos/kratos/v2/registry"
	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// nacosCluster is Nacos' own default.
const nacosCluster = "DEFAULT"

// nacos registers instances that live as long as the connection of its client, which registers them
// again when it connects again. One client is enough for a node: Nacos keeps one instance for each
// client and service, and each instance of a node is of another service.
type nacos struct {
	client vo.NacosClientParam
	opts   []knacos.Option
	group  string
	in     string // cluster

	mu     sync.Mutex
	naming naming_client.INamingClient // nil until it is needed: making it waits for the server
	kratos *knacos.Registry
	missed map[string]bool // by id: the last look did not find it
}

// sdk keeps clients apart that are made or closed at the same time: they share a map without a lock.
var sdk sync.Mutex

var errNotConnected = errors.New("nacos: not connected")

func newNacos(c *conf.Registry, dir string) (*nacos, error) {
	if _, err := conf.TLSConfig("registry.tls", c.GetTls()); err != nil {
		return nil, err // the client would say so in its log alone
	}
	n := &nacos{group: c.GetGroup(), in: c.GetCluster(), missed: map[string]bool{}}
	if n.group == "" {
		n.group = constant.DEFAULT_GROUP
	}
	if n.in == "" {
		n.in = nacosCluster
	}
	n.opts = []knacos.Option{knacos.WithGroup(n.group), knacos.WithCluster(n.in)}
	own := filepath.Join(dir, "nacos")
	t := c.GetTls()
	n.client.ClientConfig = &constant.ClientConfig{
		NamespaceId: c.GetNamespace(), Username: c.GetUsername(), Password: c.GetPassword(),
		TimeoutMs: uint64(callTimeout.Milliseconds()),
		// By default all of this is in the working directory, and what it says there of yesterday is
		// believed today.
		LogDir: filepath.Join(own, "log"), CacheDir: filepath.Join(own, "cache"), LogLevel: "warn",
		LogRollingConfig:    &constant.ClientLogRollingConfig{MaxSize: 10, MaxBackups: 2},
		NotLoadCacheAtStart: true, DisableUseSnapShot: true, UpdateCacheWhenEmpty: true,
		TLSCfg: constant.TLSConfig{
			Appointed: true, Enable: t.GetEnabled(), CaFile: t.GetCaFile(), CertFile: t.GetCertFile(), KeyFile: t.GetKeyFile(),
			ServerNameOverride: t.GetServerName(),
		},
	}
	for _, addr := range c.Addresses() {
		host, text, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("nacos: %w", err)
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("nacos: %w", err)
		}
		n.client.ServerConfigs = append(n.client.ServerConfigs, *constant.NewServerConfig(host, port))
	}
	return n, nil
}

// connected returns the client, made when it is first needed.
func (n *nacos) connected(ctx context.Context) (naming_client.INamingClient, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.naming != nil {
		return n.naming, nil
	}
	made := make(chan naming_client.INamingClient, 1)
	err := within(ctx, func() error {
		sdk.Lock()
		defer sdk.Unlock()
		naming, err := clients.NewNamingClient(n.client)
		if err != nil {
			return err
		}
		made <- naming
		return nil
	}, func() { closeClient(<-made) })
	if err != nil {
		return nil, err
	}
	n.naming = <-made
	n.kratos = knacos.New(n.naming, n.opts...)
	settle(ctx)
	return n.naming, nil
}

// settleTime is how long a client that has connected may take to notice it.
const settleTime = 200 * time.Millisecond

// settle gives a client the time to notice that it has connected: what was registered before that it
// registers once more, and of two requests for one instance in the same moment a server may refuse one.
func settle(ctx context.Context) {
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
	}
}

// Register implements Registrar.
func (n *nacos) Register(ctx context.Context, i Instance) error {
	naming, err := n.connected(ctx)
	if err != nil {
		return err
	}
	return within(ctx, func() error {
		if i.Suffixed { // Kratos puts the suffix there
			return n.kratos.Register(ctx, asKratos(i, i.Service))
		}
		ok, err := naming.RegisterInstance(vo.RegisterInstanceParam{
			Ip: i.Host, Port: uint64(i.Port), ServiceName: i.Name(), GroupName: n.group, ClusterName: n.in,
			Weight: float64(i.Weight), Enable: true, Healthy: true, Ephemeral: true, Metadata: i.AllMetadata(),
		})
		if err == nil && !ok {
			return errors.New("the server refused the instance")
		}
		return err
	}, nil)
}

// Renew implements Registrar. It looks at what the server has told this client, which comes a moment
// late: only what is missing twice is missing.
func (n *nacos) Renew(ctx context.Context, i Instance) error {
	there, err := n.find(ctx, i, func(weight int) bool { return weight == i.Weight })
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	missing := !there && n.missed[i.ID()]
	n.missed[i.ID()] = !there && !missing
	if missing {
		return ErrMissing
	}
	return nil
}

// Listed implements Registrar.
func (n *nacos) Listed(ctx context.Context, i Instance) (bool, error) {
	return n.find(ctx, i, func(int) bool { return true })
}

// find tells whether the server has told this client of an instance with a weight that will do.
func (n *nacos) find(ctx context.Context, i Instance, weight func(int) bool) (there bool, err error) {
	naming, err := n.connected(ctx)
	if err != nil {
		return false, err
	}
	found := make(chan bool, 1)
	err = within(ctx, func() error {
		if !naming.ServerHealthy() {
			return errNotConnected
		}
		list, err := naming.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: i.Name(), GroupName: n.group, Clusters: []string{n.in}})
		found <- slices.ContainsFunc(list, func(other model.Instance) bool {
			return other.Ip == i.Host && other.Port == uint64(i.Port) && weight(int(other.Weight))
		})
		return err
	}, nil)
	if err != nil {
		return false, err
	}
	return <-found, nil
}

// Deregister implements Registrar.
func (n *nacos) Deregister(ctx context.Context, i Instance) error {
	n.mu.Lock()
	naming := n.naming
	n.mu.Unlock()
	if naming == nil {
		return nil
	}
	return within(ctx, func() error {
		if i.Suffixed {
			return n.kratos.Deregister(ctx, asKratos(i, i.Service))
		}
		_, err := naming.DeregisterInstance(vo.DeregisterInstanceParam{
			Ip: i.Host, Port: uint64(i.Port), ServiceName: i.Name(), GroupName: n.group, Cluster: n.in, Ephemeral: true,
		})
		return err
	}, nil)
}

// Watch implements plugin.RegistryWatcher.
func (n *nacos) Watch(ctx context.Context, service string, found func([]plugin.Endpoint)) error {
	return watch(ctx, service, n.discovery, found)
}

func (n *nacos) discovery(ctx context.Context) (kregistry.Discovery, error) {
	naming, err := n.connected(ctx)
	if err != nil {
		return nil, err
	}
	return knacos.New(naming, n.opts...), nil
}

// Close implements Registrar. With its connection everything goes that is still registered.
func (n *nacos) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.naming != nil {
		closeClient(n.naming)
	}
	return nil
}

func closeClient(c naming_client.INamingClient) {
	sdk.Lock()
	defer sdk.Unlock()
	c.CloseClient()
}

// within runs a call of the client, which knows no contexts, and does not wait for it longer than ctx
// lasts. Then late is called if the call succeeds after all.
func within(ctx context.Context, call func() error, late func()) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("nacos: %w", err)
		}
		return nil
	case <-ctx.Done():
		if late != nil {
			go func() {
				if <-done == nil {
					late()
				}
			}()
		}
		return fmt.Errorf("nacos: %w", context.Cause(ctx))
	}
}
