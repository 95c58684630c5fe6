// Command kratos-push finds a Hermod node in Nacos as any Kratos service finds another, and pushes.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/go-kratos/kratos/contrib/registry/nacos/v2"
	"github.com/go-kratos/kratos/v2/transport/grpc"
	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

func main() {
	port := flag.Uint64("port", 8848, "of Nacos on this machine")
	flag.Parse()
	dir := os.TempDir() // Nacos' client logs into the working directory otherwise
	naming, err := clients.NewNamingClient(vo.NacosClientParam{
		ClientConfig:  constant.NewClientConfig(constant.WithLogDir(dir), constant.WithCacheDir(dir), constant.WithNotLoadCacheAtStart(true), constant.WithUpdateCacheWhenEmpty(true)),
		ServerConfigs: []constant.ServerConfig{*constant.NewServerConfig("127.0.0.1", *port)},
	})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.DialInsecure(context.Background(), grpc.WithEndpoint("discovery:///gateway-service.grpc"), grpc.WithDiscovery(nacos.New(naming)))
	if err != nil {
		log.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("HERMOD_SERVICE_TOKEN"))
	resp, err := gatewayv1.NewGatewayServiceClient(conn).PushToClient(ctx, &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice", Title: "Hello", Content: "from Kratos"})
	fmt.Println(resp, err)
}
