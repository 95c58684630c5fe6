package client_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// log is where the blocks log to. Tests wait for lines, each of which is found once.
var log = &lines{changed: make(chan struct{})}

type lines struct {
	mu      sync.Mutex
	all     []string
	changed chan struct{}
}

func (l *lines) Println(args ...any)               { l.add(strings.TrimSuffix(fmt.Sprintln(args...), "\n")) }
func (l *lines) Printf(format string, args ...any) { l.add(fmt.Sprintf(format, args...)) }
func (l *lines) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (l *lines) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
	close(l.changed)
	l.changed = make(chan struct{})
}

// await returns when a line has been logged that begins with prefix, and forgets it and all
// before it.
func (l *lines) await(prefix string) {
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		for i, line := range l.all {
			if strings.HasPrefix(line, prefix) {
				l.all = l.all[i+1:]
				l.mu.Unlock()
				return
			}
		}
		changed, all := l.changed, l.all
		l.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			panic(fmt.Sprintf("nobody logged %q, but %q", prefix, all))
		}
	}
}

const patience = time.Minute

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// nacos_sdk stands for the SDK that finds services by Nacos; serveNacos says what it finds. One that does
// so is in docs/examples/im-nacos, see TestNacosExamples.
var nacos_sdk struct { //nolint:revive // the name that the blocks use
	GetGRPCClient func(service, group string, newFn func(*grpc.ClientConn) imv1.IMServiceClient) (imv1.IMServiceClient, error)
}

func serveNacos(t *testing.T) {
	t.Helper()
	nacos_sdk.GetGRPCClient = func(service, group string, newFn func(*grpc.ClientConn) imv1.IMServiceClient) (imv1.IMServiceClient, error) {
		return getGRPCClient(t, service, group, newFn)
	}
}

// getGRPCClient has the signature of the function in the Nacos SDK, but for t.
func getGRPCClient[T any](t *testing.T, service, group string, newFn func(*grpc.ClientConn) T) (T, error) {
	if service != "im-service" || group != "DEFAULT_GROUP" {
		var none T
		return none, fmt.Errorf("no service %s in group %s", service, group)
	}
	return newFn(dial(t, client.StartNode(t))), nil
}

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// port is the node's, on localhost.
func port(t *testing.T) int {
	t.Helper()
	_, p, err := net.SplitHostPort(client.StartNode(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// registry is a discovery that knows one instance of one service.
type registry struct {
	service string
	port    int
}

func (r registry) Discover(_ context.Context, name string) ([]*discovery.ServiceInfo, error) {
	if name != r.service {
		return nil, discovery.ErrNoService
	}
	return []*discovery.ServiceInfo{{ID: "1", Name: name, Address: "127.0.0.1", Port: r.port, Health: "healthy"}}, nil
}
func (registry) Register(context.Context, *discovery.ServiceInfo) error { return nil }
func (registry) Deregister(context.Context, string) error               { return nil }
func (registry) Close() error                                           { return nil }
func (r registry) Watch(ctx context.Context, name string) (<-chan []*discovery.ServiceInfo, error) {
	found, err := r.Discover(ctx, name)
	ch := make(chan []*discovery.ServiceInfo, 1)
	ch <- found
	return ch, err
}
