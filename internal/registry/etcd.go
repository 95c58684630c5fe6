package registry

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	ketcd "github.com/go-kratos/kratos/contrib/registry/etcd/v2"
	kregistry "github.com/go-kratos/kratos/v2/registry"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/game-im/hermod/internal/conf"
)

// kratosPrefix is where Kratos' consumers look unless they are told otherwise.
const kratosPrefix = "/microservices"

// etcd registers through Kratos' contrib registry, a new one for each registration: it is not safe
// for more, and gives up a registration when etcd is away for some seconds. Renew notices.
type etcd struct {
	conf   *conf.Registry
	tls    *tls.Config
	prefix string

	dial chan struct{} // holds one token: whoever has it may connect

	mu     sync.Mutex
	client *clientv3.Client // nil until it is needed: with a user it is made by logging in
	leases map[string]lease // by id
}

type lease struct {
	registry *ketcd.Registry
	stop     context.CancelFunc // of its heartbeat
}

func newEtcd(c *conf.Registry) (*etcd, error) {
	t, err := tlsConfig(c.GetTls())
	if err != nil {
		return nil, err
	}
	prefix := c.GetNamespace()
	if prefix == "" {
		prefix = kratosPrefix
	}
	return &etcd{conf: c, tls: t, prefix: prefix, dial: make(chan struct{}, 1), leases: map[string]lease{}}, nil
}

// connected returns the client, made when it is first needed, by one caller while the others wait.
func (e *etcd) connected(ctx context.Context) (*clientv3.Client, error) {
	select {
	case e.dial <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("etcd: %w", context.Cause(ctx))
	}
	defer func() { <-e.dial }()
	e.mu.Lock()
	client := e.client
	e.mu.Unlock()
	if client != nil {
		return client, nil
	}
	client, err := e.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.client = client
	return client, nil
}

// connect makes a client. Making one knows no context but that of the client's whole life.
func (e *etcd) connect(ctx context.Context) (*clientv3.Client, error) {
	scheme := "http://"
	if e.tls != nil {
		scheme = "https://"
	}
	var endpoints []string
	for _, addr := range e.conf.Addresses() {
		endpoints = append(endpoints, scheme+addr)
	}
	life, end := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, end)
	client, err := clientv3.New(clientv3.Config{
		Context: life, Endpoints: endpoints, TLS: e.tls,
		Username: e.conf.GetUsername(), Password: e.conf.GetPassword(),
		DialTimeout:       callTimeout / 2, // logging in waits no longer
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
		Logger: zap.NewNop(), // it would write every attempt to connect to standard error
	})
	if !stop() || err != nil {
		end()
		if err == nil {
			err = errors.Join(context.Cause(ctx), client.Close())
		}
		return nil, err
	}
	return client, nil
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
	if err := r.Register(ctx, i.kratos(i.Name())); err != nil {
		stop()
		return fmt.Errorf("etcd: %w", err)
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
	client, err := e.connected(ctx)
	if err != nil {
		return err
	}
	got, err := client.Get(ctx, e.prefix+"/"+i.Name()+"/"+i.ID())
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	for _, kv := range got.Kvs {
		var there kregistry.ServiceInstance
		if err := json.Unmarshal(kv.Value, &there); err == nil && there.Metadata[metaWeight] == i.metadata()[metaWeight] {
			return nil
		}
	}
	return ErrMissing
}

// Deregister implements Registrar.
func (e *etcd) Deregister(ctx context.Context, i Instance) error {
	r := e.stop(i)
	if r == nil {
		return nil
	}
	if err := r.Deregister(ctx, i.kratos(i.Name())); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return nil
}

// Close implements Registrar.
func (e *etcd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.leases {
		l.stop()
	}
	if e.client == nil {
		return nil
	}
	return e.client.Close()
}
