package centre

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/game-im/hermod/internal/conf"
)

const dialTimeout = 3 * time.Second

type etcd struct {
	address
	mu     sync.Mutex
	client *clientv3.Client // nil until the first attempt that succeeds
	closed bool
}

func newEtcd(a address, _ Options) Source { return &etcd{address: a} }

// connect returns the client. Making one logs in, and fails when nobody answers.
func (e *etcd) connect() (*clientv3.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if e.client != nil {
		return e.client, nil
	}
	secure, err := e.tls.config()
	if err != nil {
		return nil, err
	}
	c, err := clientv3.New(clientv3.Config{
		Endpoints: e.hosts, TLS: secure, Username: e.username, Password: e.password,
		DialTimeout: dialTimeout, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: dialTimeout,
		Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, err
	}
	e.client = c
	return c, nil
}

func (e *etcd) scope() []clientv3.OpOption {
	if e.folder() {
		return []clientv3.OpOption{clientv3.WithPrefix()}
	}
	return nil
}

// Read implements conf.Source.
func (e *etcd) Read(ctx context.Context) ([]conf.Document, error) {
	c, err := e.connect()
	if err != nil {
		return nil, e.explain(err)
	}
	resp, err := c.Get(ctx, e.key, e.scope()...)
	if err != nil {
		return nil, e.explain(err)
	}
	entries := make([]entry, len(resp.Kvs))
	for i, kv := range resp.Kvs {
		entries[i] = entry{string(kv.Key), kv.Value}
	}
	return e.documents(entries)
}

// Watch implements conf.Source. The client resumes a watch by itself after an outage; a watch that
// ends nevertheless, as after a compaction, is begun anew. Its begin counts as a change: there may
// have been one before.
func (e *etcd) Watch(ctx context.Context, changed func()) {
	var between pause
	for ctx.Err() == nil {
		if c, err := e.connect(); err == nil {
			for resp := range c.Watch(ctx, e.key, append(e.scope(), clientv3.WithCreatedNotify())...) {
				if resp.Err() == nil {
					changed()
					between = 0
				}
			}
			changed()
		}
		between.wait(ctx)
	}
}

// Close implements Source.
func (e *etcd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.client == nil {
		return nil
	}
	return e.client.Close()
}
