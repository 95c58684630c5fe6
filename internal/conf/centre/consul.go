package centre

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/game-im/hermod/internal/conf"
)

// consulWait is how long Consul may keep a question about changes open.
const consulWait = 5 * time.Minute

type consul struct {
	address
	transport func() (*http.Transport, error)
	at        atomic.Uint32 // the host that answered last
}

func newConsul(a address, _ Options) Source {
	return &consul{address: a, transport: sync.OnceValues(func() (*http.Transport, error) {
		secure, err := a.tls.config()
		return &http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			DialContext:     (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig: secure, TLSHandshakeTimeout: dialTimeout,
			// Consul adds up to a sixteenth to the time that a question may stay open.
			ResponseHeaderTimeout: consulWait + consulWait/8,
			IdleConnTimeout:       time.Minute,
		}, err
	})}
}

// list asks the hosts one after another until one answers.
func (c *consul) list(ctx context.Context, after uint64) (api.KVPairs, uint64, error) {
	var failed error
	for range c.hosts {
		at := c.at.Load()
		pairs, index, err := c.ask(ctx, c.hosts[int(at)%len(c.hosts)], after)
		if err == nil {
			return pairs, index, nil
		}
		failed = errors.Join(failed, err)
		c.at.CompareAndSwap(at, at+1)
	}
	return nil, 0, failed
}

func (c *consul) ask(ctx context.Context, host string, after uint64) (api.KVPairs, uint64, error) {
	transport, err := c.transport()
	if err != nil {
		return nil, 0, err
	}
	cfg := api.DefaultConfig() // knows the variables CONSUL_HTTP_TOKEN and so on
	cfg.Address, cfg.Scheme, cfg.Datacenter = host, "http", c.query.Get("datacenter")
	cfg.HttpClient = &http.Client{Transport: transport}
	if c.token != "" {
		cfg.Token = c.token
	}
	if c.tls.on {
		cfg.Scheme = "https"
	}
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, 0, err
	}
	q := (&api.QueryOptions{WaitIndex: after, WaitTime: consulWait}).WithContext(ctx)
	if c.folder() {
		pairs, meta, err := client.KV().List(c.key, q)
		if err != nil {
			return nil, 0, err
		}
		return pairs, meta.LastIndex, nil
	}
	pair, meta, err := client.KV().Get(c.key, q)
	if err != nil {
		return nil, 0, err
	}
	if pair == nil {
		return nil, meta.LastIndex, nil
	}
	return api.KVPairs{pair}, meta.LastIndex, nil
}

// Read implements conf.Source.
func (c *consul) Read(ctx context.Context) ([]conf.Document, error) {
	pairs, _, err := c.list(ctx, 0)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(pairs))
	for i, p := range pairs {
		entries[i] = entry{p.Key, p.Value}
	}
	return c.documents(entries)
}

// Watch implements conf.Source. Each question stays open until there is something newer than the
// last answer.
func (c *consul) Watch(ctx context.Context, changed func()) {
	var between pause
	for index := uint64(0); ctx.Err() == nil; {
		_, newer, err := c.list(ctx, index)
		switch {
		case err != nil:
			index = 0
			between.wait(ctx)
			continue
		case newer == 0: // no index: a question that would not wait
			between.wait(ctx)
		case newer < index: // a Consul that was restored from a backup counts anew
			newer = 0
		default:
			between = 0
		}
		if newer != index {
			changed()
		}
		index = newer
	}
}

// Close implements Source.
func (c *consul) Close() error {
	if t, err := c.transport(); err == nil {
		t.CloseIdleConnections()
	}
	return nil
}
