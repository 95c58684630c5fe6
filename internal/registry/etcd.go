package registry

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	ketcd "github.com/go-kratos/kratos/contrib/registry/etcd/v2"
	kregistry "github.com/go-kratos/kratos/v2/registry"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// kratosPrefix is where Kratos' consumers look unless they are told otherwise.
const kratosPrefix = "/microservices"

// etcd registers through Kratos' contrib registry, a new one for each registration: it is not safe
// for more, and gives up a registration when etcd is away for some seconds. Renew notices.
type etcd struct {
	conf   *conf.Registry
	tls    *tls.Config
	prefix string

	life context.Context // of the client
	end  context.CancelFunc

	mu     sync.Mutex
	dial   *dialing         // nil until a client is needed, and after making one has failed
	leases map[string]lease // by id
}

type lease struct {
	registry *ketcd.Registry
	stop     context.CancelFunc // of its heartbeat
}

func newEtcd(c *conf.Registry) (*etcd, error) {
	t, err := conf.TLSConfig("registry.tls", c.GetTls())
	if err != nil {
		return nil, err
	}
	prefix := c.GetNamespace()
	if prefix == "" {
		prefix = kratosPrefix
	}
	e := &etcd{conf: c, tls: t, prefix: prefix, leases: map[string]lease{}}
	e.life, e.end = context.WithCancel(context.Background())
	return e, nil
}

// Register implements Registrar.
func (e *etcd) Register(ctx context.Context, i Instance) error {
	client, err := e.connected(ctx)
	if err != nil {
		return err
	}
	e.stop(i) // two heartbeats would register two versions of it
	beating, stop := context.WithCancel(context.Background())
	r := ketcd.New(client, ketcd.Context(beating), ketcd.Namespace(e.prefix), ketcd.RegisterTTL(e.conf.GetTtl().AsDuration()), ketcd.MaxRetry(1))
	if err := r.Register(ctx, asKratos(i, i.Name())); err != nil {
		stop()
		return e.explained(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leases[i.ID()] = lease{r, stop}
	return nil
}

// stop ends the heartbeat of an instance and returns its registry, nil when there is none.
func (e *etcd) stop(i Instance) *ketcd.Registry {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, ok := e.leases[i.ID()]
	if !ok {
		return nil
	}
	l.stop()
	delete(e.leases, i.ID())
	return l.registry
}

// Renew implements Registrar: the lease is renewed by its heartbeat, unless that has given up.
func (e *etcd) Renew(ctx context.Context, i Instance) error {
	there, err := e.find(ctx, i)
	if err != nil {
		return err
	}
	if there == nil || there.Metadata["weight"] != i.AllMetadata()["weight"] {
		return ErrMissing
	}
	return nil
}

// Listed implements Registrar.
func (e *etcd) Listed(ctx context.Context, i Instance) (bool, error) {
	there, err := e.find(ctx, i)
	return there != nil, err
}

// find returns an instance as etcd has it, nil when it has none that can be read.
func (e *etcd) find(ctx context.Context, i Instance) (*kregistry.ServiceInstance, error) {
	client, err := e.connected(ctx)
	if err != nil {
		return nil, err
	}
	got, err := client.Get(ctx, e.prefix+"/"+i.Name()+"/"+i.ID())
	if err != nil {
		return nil, e.explained(err)
	}
	for _, kv := range got.Kvs {
		var there kregistry.ServiceInstance
		if err := json.Unmarshal(kv.Value, &there); err == nil {
			return &there, nil
		}
	}
	return nil, nil //nolint:nilnil // that there is none is an answer
}

// Deregister implements Registrar.
func (e *etcd) Deregister(ctx context.Context, i Instance) error {
	r := e.stop(i)
	if r == nil {
		return nil
	}
	if err := r.Deregister(ctx, asKratos(i, i.Name())); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return nil
}

// Watch implements plugin.RegistryWatcher.
func (e *etcd) Watch(ctx context.Context, service string, found func([]plugin.Endpoint)) error {
	return watch(ctx, service, e.discovery, found)
}

func (e *etcd) discovery(ctx context.Context) (kregistry.Discovery, error) {
	client, err := e.connected(ctx)
	if err != nil {
		return nil, err
	}
	return ketcd.New(client, ketcd.Namespace(e.prefix)), nil
}

// Close implements Registrar.
func (e *etcd) Close() error {
	e.end() // also an attempt to log in
	e.mu.Lock()
	for _, l := range e.leases {
		l.stop()
	}
	d := e.dial
	e.mu.Unlock()
	if d == nil {
		return nil
	}
	<-d.done
	if d.client == nil {
		return nil
	}
	if err := d.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
