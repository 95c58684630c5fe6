package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// dialing is one attempt to make a client, for everybody who needs one meanwhile.
type dialing struct {
	done   chan struct{}
	client *clientv3.Client
	err    error
}

// connected returns the client, made when it is first needed.
func (e *etcd) connected(ctx context.Context) (*clientv3.Client, error) {
	e.mu.Lock()
	d := e.dial
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		e.dial = d
		go e.connect(d)
	}
	e.mu.Unlock()
	select {
	case <-d.done:
		return d.client, d.err
	case <-ctx.Done():
		return nil, fmt.Errorf("etcd: %w", context.Cause(ctx))
	}
}

// connect makes a client, with a user by logging in. It waits for dialTimeout at most.
func (e *etcd) connect(d *dialing) {
	defer close(d.done)
	scheme := "http://"
	if e.tls != nil {
		scheme = "https://"
	}
	var endpoints []string
	for _, addr := range e.conf.Addresses() {
		endpoints = append(endpoints, scheme+addr)
	}
	client, err := clientv3.New(clientv3.Config{
		Context: e.life, Endpoints: endpoints, TLS: e.tls,
		Username: e.conf.GetUsername(), Password: e.conf.GetPassword(),
		DialTimeout:       dialTimeout,
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
		Logger: zap.NewNop(), // it would write every attempt to connect to standard error
	})
	if err != nil {
		d.err = e.explained(err)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.dial = nil // the next one tries again
		return
	}
	d.client = client
}

const (
	dialTimeout  = callTimeout / 2
	probeTimeout = time.Second
)

// explained says why a call ran into its deadline: etcd's client tries to connect until then, and keeps
// to itself what it met.
func (e *etcd) explained(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		for _, addr := range e.conf.Addresses() {
			if why := e.probe(addr); why != nil {
				return fmt.Errorf("etcd: %w", why)
			}
		}
	}
	return fmt.Errorf("etcd: %w", err)
}

// probe connects once, as the client does.
func (e *etcd) probe(addr string) error {
	ctx, cancel := context.WithTimeout(e.life, probeTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was sent that matters
	t := e.tls.Clone()
	if t == nil { // only to find out what the server speaks
		t = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // nothing is sent over it
	} else if t.ServerName == "" {
		t.ServerName, _, _ = net.SplitHostPort(addr) // the configuration was checked
	}
	handshake := tls.Client(conn, t).HandshakeContext(ctx)
	switch {
	case e.tls == nil && handshake == nil:
		return fmt.Errorf("%s speaks TLS, and registry.tls.enabled is false", addr)
	case e.tls == nil || ctx.Err() != nil:
		return nil // it hangs, which the deadline says
	}
	return handshake
}
