// Package nacos_sdk is what many programs have already: one client of Nacos, and gRPC connections to
// the services that it finds. It knows nothing of Hermod.
package nacos_sdk //nolint:revive // the name that programs with such a package use

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// naming is the one client of Nacos, at the address in the environment variable NACOS.
var naming = sync.OnceValues(func() (naming_client.INamingClient, error) {
	host, text, err := net.SplitHostPort(os.Getenv("NACOS"))
	if err != nil {
		return nil, fmt.Errorf("NACOS: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("NACOS: %w", err)
	}
	own := filepath.Join(os.TempDir(), "im-nacos") // not the working directory, which is the default
	return clients.NewNamingClient(vo.NacosClientParam{
		ClientConfig: constant.NewClientConfig(
			constant.WithTimeoutMs(5000), constant.WithLogLevel("warn"),
			constant.WithLogDir(filepath.Join(own, "log")), constant.WithCacheDir(filepath.Join(own, "cache")),
			constant.WithNotLoadCacheAtStart(true), // what was true yesterday
			constant.WithUpdateCacheWhenEmpty(true),
		),
		ServerConfigs: []constant.ServerConfig{*constant.NewServerConfig(host, port)},
	})
})

// conns are the connections that there are, by group and service.
var conns = struct {
	sync.Mutex
	of map[string]*grpc.ClientConn
}{of: map[string]*grpc.ClientConn{}}

// GetGRPCClient returns a stub over the program's one connection to a service, which goes to all of
// its healthy instances in turn and follows them as Nacos tells of them.
func GetGRPCClient[T any](service, group string, newFn func(*grpc.ClientConn) T) (T, error) {
	conns.Lock()
	defer conns.Unlock()
	conn := conns.of[group+"/"+service]
	if conn == nil {
		var err error
		if conn, err = connect(service, group); err != nil {
			var none T
			return none, fmt.Errorf("%s in group %s: %w", service, group, err)
		}
		conns.of[group+"/"+service] = conn
	}
	return newFn(conn), nil
}

func connect(service, group string) (*grpc.ClientConn, error) {
	nacos, err := naming()
	if err != nil {
		return nil, err
	}
	addresses := manual.NewBuilderWithScheme("nacos")
	conn, err := grpc.NewClient("nacos:///"+service,
		grpc.WithResolvers(addresses),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
	)
	if err != nil {
		return nil, err
	}
	conn.Connect() // calls wait until Nacos has told of instances for the first time
	err = nacos.Subscribe(&vo.SubscribeParam{
		ServiceName: service, GroupName: group,
		SubscribeCallback: func(instances []model.Instance, err error) {
			if err == nil {
				addresses.UpdateState(resolver.State{Endpoints: endpoints(instances)})
			}
		},
	})
	return conn, err
}

func endpoints(instances []model.Instance) []resolver.Endpoint {
	var all []resolver.Endpoint
	for _, i := range instances {
		if i.Healthy && i.Enable && i.Weight > 0 {
			addr := net.JoinHostPort(i.Ip, strconv.FormatUint(i.Port, 10))
			all = append(all, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
		}
	}
	return all
}
