package e2e

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/go-kratos/kratos/v2/registry"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/sdk/pluginserver"
	"github.com/game-im/hermod/test/registries"
)

// signer is a plugin that puts its name behind what is said.
type signer string

// Name implements plugin.Plugin.
func (signer) Name() string { return "signer" }

// InterceptMessage implements plugin.MessageInterceptor.
func (s signer) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	m.Content = append(m.Content, " "+s...)
	return m, nil
}

// serveSigner serves one as a service until stop.
func serveSigner(t *testing.T, name string) (addr string, stop func()) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := pluginserver.Serve(ctx, lis, signer(name)); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		done.Wait()
	}
	t.Cleanup(stop)
	return lis.Addr().String(), stop
}

// TestPluginThatARegistryHas: a node finds a plugin that runs as a service, and another instance when that is gone.
func TestPluginThatARegistryHas(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"etcd", "consul"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			k := registryKinds[kind]
			s := k.start(t)
			registrar, ok := k.discover(t, s).(registry.Registrar)
			if !ok {
				t.Fatal("it cannot register")
			}
			enlist := func(addr string) (delist func()) {
				i := &registry.ServiceInstance{ID: "signer-" + addr, Name: "signer", Version: "v1", Endpoints: []string{"grpc://" + addr}}
				if err := registrar.Register(within(t), i); err != nil {
					t.Fatal(err)
				}
				return sync.OnceFunc(func() { _ = registrar.Deregister(context.Background(), i) }) // ends its heartbeat
			}
			testSigners(t, kind, s, enlist)
		})
	}
}

func testSigners(t *testing.T, kind string, s *registries.Server, enlist func(addr string) (delist func())) {
	t.Helper()
	first, stopFirst := serveSigner(t, "first")
	delist := enlist(first)
	t.Cleanup(delist)
	n := Start(t, registered(kind, s)+`
plugins:
  - name: signer
    service: {targets: ["discovery:///signer"]}
`)
	im := imv1.NewIMServiceClient(Dial(t, n.IM))
	join(t, im, "room", "alice")
	said := func() string {
		t.Helper()
		resp, err := im.SendMessage(within(t), &imv1.SendMessageRequest{UserId: "alice", RoomId: "room", Type: text, Content: []byte("hello")})
		if err != nil {
			return err.Error()
		}
		past, err := im.History(within(t), &imv1.HistoryRequest{UserId: "alice", RoomId: "room", AfterSeq: proto.Int64(resp.GetSeq() - 1), Limit: 1})
		if err != nil || len(past.GetMessages()) != 1 {
			t.Fatalf("%v, %v", past, err)
		}
		return string(past.GetMessages()[0].GetContent())
	}
	if got := said(); got != "hello first" {
		t.Errorf("it says %q", got)
	}
	second, _ := serveSigner(t, "second")
	t.Cleanup(enlist(second))
	delist()
	stopFirst()
	n.eventually("the second instance signs", func() bool { return said() == "hello second" })
}
