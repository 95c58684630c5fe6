package discovery_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// leaser is as much of an etcd as registering takes, which loses leases and refuses writes when a test says so.
type leaser struct {
	etcdserverpb.UnimplementedKVServer
	etcdserverpb.UnimplementedLeaseServer

	mu     sync.Mutex
	last   int64            // lease that was granted
	lost   int64            // all leases up to this one
	refuse int              // so many writes
	keys   map[string]int64 // with their leases
}

func startLeaser(t *testing.T) (l *leaser, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = &leaser{keys: map[string]int64{}}
	server := grpc.NewServer()
	etcdserverpb.RegisterKVServer(server, l)
	etcdserverpb.RegisterLeaseServer(server, l)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	return l, listener.Addr().String()
}

// lose has etcd lose its leases, with what was written under them, and refuse so many writes that follow.
func (l *leaser) lose(refuse int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost, l.refuse = l.last, refuse
	clear(l.keys)
}

func (l *leaser) has(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, has := l.keys[key]
	return has
}

// Put implements etcdserverpb.KVServer.
func (l *leaser) Put(_ context.Context, r *etcdserverpb.PutRequest) (*etcdserverpb.PutResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.GetLease() <= l.lost:
		return nil, rpctypes.ErrGRPCLeaseNotFound
	case l.refuse > 0:
		l.refuse--
		return nil, status.Error(codes.ResourceExhausted, "too many requests")
	}
	l.keys[string(r.GetKey())] = r.GetLease()
	return &etcdserverpb.PutResponse{Header: &etcdserverpb.ResponseHeader{}}, nil
}

// DeleteRange implements etcdserverpb.KVServer.
func (l *leaser) DeleteRange(_ context.Context, r *etcdserverpb.DeleteRangeRequest) (*etcdserverpb.DeleteRangeResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, string(r.GetKey()))
	return &etcdserverpb.DeleteRangeResponse{Header: &etcdserverpb.ResponseHeader{}}, nil
}

// LeaseGrant implements etcdserverpb.LeaseServer.
func (l *leaser) LeaseGrant(_ context.Context, r *etcdserverpb.LeaseGrantRequest) (*etcdserverpb.LeaseGrantResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	return &etcdserverpb.LeaseGrantResponse{Header: &etcdserverpb.ResponseHeader{}, ID: l.last, TTL: r.GetTTL()}, nil
}

// LeaseRevoke implements etcdserverpb.LeaseServer.
func (l *leaser) LeaseRevoke(context.Context, *etcdserverpb.LeaseRevokeRequest) (*etcdserverpb.LeaseRevokeResponse, error) {
	return &etcdserverpb.LeaseRevokeResponse{Header: &etcdserverpb.ResponseHeader{}}, nil
}

// LeaseKeepAlive implements etcdserverpb.LeaseServer.
func (l *leaser) LeaseKeepAlive(st etcdserverpb.Lease_LeaseKeepAliveServer) error {
	for {
		r, err := st.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := &etcdserverpb.LeaseKeepAliveResponse{Header: &etcdserverpb.ResponseHeader{}, ID: r.GetID(), TTL: 5}
		l.mu.Lock()
		if r.GetID() <= l.lost {
			answer.TTL = 0 // which is how etcd says that it does not know it
		}
		l.mu.Unlock()
		if err := st.Send(answer); err != nil {
			return err
		}
	}
}

// TestEtcdHasAllAgainThatItLost: whatever comes between, all that is registered is registered again when etcd has lost it.
func TestEtcdHasAllAgainThatItLost(t *testing.T) {
	t.Parallel()
	for name, meet := range map[string]func(t *testing.T, l *leaser, d *discovery.EtcdDiscovery){
		"a write fails after the new lease": func(_ *testing.T, l *leaser, _ *discovery.EtcdDiscovery) { l.lose(1) },
		"another instance finds out": func(t *testing.T, l *leaser, d *discovery.EtcdDiscovery) {
			l.lose(0)
			register(t, d, "c")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, addr := startLeaser(t)
			d, err := discovery.NewEtcdDiscovery([]string{addr}, "", discovery.WithLease(2*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Close() })
			register(t, d, "a")
			register(t, d, "b")
			meet(t, l, d)
			for _, id := range []string{"a", "b"} {
				for deadline := time.Now().Add(within); !l.has("/services/im-service/" + id); time.Sleep(10 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("instance %s stays lost", id)
					}
				}
			}
		})
	}
}
