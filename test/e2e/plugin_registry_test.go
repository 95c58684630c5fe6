package e2e

import (
	"context"
	"net"
	"sync"
	"testing"

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
			s := registryKinds[kind].start(t)
			testSigners(t, kind, s, enlist(t, kind, s))
		})
	}
}

func testSigners(t *testing.T, kind string, s *registries.Server, register func(name string, endpoints ...string) func() error) {
	t.Helper()
	first, stopFirst := serveSigner(t, "first")
	delist := register("signer", "grpc://"+first)
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
	register("signer", "grpc://"+second)
	if err := delist(); err != nil {
		t.Fatal(err)
	}
	stopFirst()
	n.eventually("the second instance signs", func() bool { return said() == "hello second" })
}
