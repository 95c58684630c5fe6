package client_test

// The files seed_*_test.go hold every code block of the usage document of the SDK that this one
// replaces, and run it against a node. A block is a function named by its heading. Changed are the
// import paths, the address of the node, how long a block keeps its connection, and what the table
// says cannot be or cannot be meant. What they find around them is in seed_surroundings_test.go. The
// blocks about Consul, etcd and the other balancers belong to sdk/discovery.
//
//	What was wrong there                                    What proves that it is right here
//	 1 balancer.Update alone gave the client no service     TestSeedStandardMode, TestDialerSources
//	 2 ignored errors hid that                              TestSeedStandardMode, TestZeroConfigGetsDefaults
//	 3 uploadLargeAudio did not compile, nor did it stream  TestSeedUploads, TestUploadAudioFrom
//	 4 it lost what came together with EOF                  TestSeedUploads, TestUploadAudioFrom
//	 5 NewEtcdDiscovery did not exist                       TestSeedServiceDiscovery
//	 6 no reconnect, no OnDisconnect over a given stub      TestSeedNacosModeReconnects, TestSharedConnectionReconnects
//	 7 a method called in a callback never returned         TestSeedErrorHandling, TestCallbacksMayCallTheClient
//	 8 IsConnected and Disconnect hung while reconnecting   TestDisconnectWhileReconnecting
//	 9 rooms were lost with the connection                  TestJoinedRoomsAreJoinedAgain, TestReconnectStorm
//	10 productionConfig: no user, panic without a balancer  TestSeedProductionConfig
//	11 panic without HeartbeatInterval, instant timeouts    TestSeedCreateImClient, TestZeroConfigGetsDefaults
//	12 a user without a room said nothing of himself        TestStreamMetadata, TestSeedStandardMode
//	13 newImServiceClient did not compile                   TestSeedNacosMode
//	14 15 17 hashing, weights, Consul                       TestSeedBalancers, TestSeedServiceDiscovery, and discovery
//	16 unhealthy instances, and the one that just failed    TestDialerSkipsWhatJustFailed
//	18 OnDisconnect said the same of every end              TestSeedErrorHandling, TestSharedConnectionReconnects
//	19 21 names and paths                                   not of the code
//	20 TLS was impossible with connections of one's own     TestTLS, TestSeedTLS
//	22 Disconnect waited for uploads                        TestDisconnectEndsUploads
//	23 content that no Content message fits                 TestSeedMessageTypes

import (
	"errors"
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
)

func standardMode(port int) {
	// 配置客户端（直连模式）
	config := client.DefaultConfig()
	config.UserID = "user001"
	config.Discovery = nil // 不使用服务发现

	// 设置服务地址
	services := []*discovery.ServiceInfo{{
		Address: "localhost",
		Port:    port,
		Health:  "healthy",
	}}
	config.LoadBalancer = discovery.NewRoundRobinBalancer()
	config.LoadBalancer.Update(services)

	// 设置消息回调
	config.OnMessage = func(msg *imv1.MessageResponse) {
		log.Printf("收到消息: %s", string(msg.Content))
	}

	// 创建并连接
	client, err := client.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Connect(); err != nil {
		log.Fatal(err)
	}
	defer client.Disconnect()

	// 发送消息
	client.SendTextMessage("room001", "Hello World!")

	// 保持连接
	log.await("收到消息: welcome")
}

func TestSeedStandardMode(t *testing.T) {
	host := connect(t, "host", "room001")
	member(t, "user001", "room001")
	var answered sync.WaitGroup
	answered.Go(func() { host.answer("Hello World!", "welcome") })
	standardMode(port(t))
	answered.Wait()
}

func newImServiceClient(conn *grpc.ClientConn) imv1.IMServiceClient {
	// 您的gRPC客户端创建逻辑
	return imv1.NewIMServiceClient(conn)
}

func nacosMode() {
	// 使用Nacos获取gRPC客户端
	grpcClient, err := nacos_sdk.GetGRPCClient(
		"im-service",       // 服务名
		"DEFAULT_GROUP",    // Nacos组
		newImServiceClient, // 客户端创建函数
	)
	if err != nil {
		log.Fatalf("获取gRPC客户端失败: %v", err)
	}

	// 简单创建IM客户端（推荐）
	imClient, err := client.NewClientWithGRPC(grpcClient, "user001")
	if err != nil {
		log.Fatal(err)
	}

	// 连接（直接使用注入的gRPC客户端，无需额外连接管理）
	if err := imClient.Connect(); err != nil {
		log.Fatal(err)
	}
	defer imClient.Disconnect()

	// 发送消息
	imClient.SendTextMessage("room001", "Hello from Nacos!")
}

func TestSeedNacosMode(t *testing.T) {
	host := connect(t, "host", "room001")
	member(t, "user001", "room001")
	serveNacos(t)
	nacosMode()
	host.await("Hello from Nacos!")
}

func standardConfig(consulDiscovery discovery.ServiceDiscovery, loadBalancer discovery.LoadBalancer,
	messageHandler func(*imv1.MessageResponse), connectHandler func(), disconnectHandler, errorHandler func(error)) *client.Config {
	config := &client.Config{
		// === 基本配置 ===
		UserID:        "user123",      // 必填：用户ID
		DefaultRoomID: "default_room", // 可选：默认房间ID
		ServiceName:   "im-service",   // 服务名称

		// === 连接配置 ===
		ConnectTimeout:    10 * time.Second, // 连接超时
		RequestTimeout:    30 * time.Second, // 请求超时
		HeartbeatInterval: 30 * time.Second, // 心跳间隔

		// === 重连配置 ===
		MaxRetries:    3,               // 最大重试次数
		RetryInterval: 5 * time.Second, // 重试间隔

		// === 服务发现和负载均衡 ===
		Discovery:    consulDiscovery, // 服务发现实例
		LoadBalancer: loadBalancer,    // 负载均衡器

		// === 回调函数 ===
		OnMessage:    messageHandler,    // 消息处理
		OnConnect:    connectHandler,    // 连接成功
		OnDisconnect: disconnectHandler, // 连接断开
		OnError:      errorHandler,      // 错误处理
	}
	return config
}

func TestSeedStandardConfig(t *testing.T) {
	host := connect(t, "host", "default_room")
	connected, disconnected, heard := make(chan struct{}, 1), make(chan error, 1), make(chan string, 64)
	imClient, err := client.NewClient(standardConfig(
		registry{"im-service", port(t)}, discovery.NewRoundRobinBalancer(),
		func(m *imv1.MessageResponse) { heard <- string(m.GetContent()) },
		func() { connected <- struct{}{} },
		func(err error) { disconnected <- err },
		func(err error) { t.Errorf("OnError(%v)", err) },
	))
	if err != nil {
		t.Fatal(err)
	}
	if err := imClient.Connect(); err != nil {
		t.Fatal(err)
	}
	receive(t, connected)
	host.say("good morning")
	for receive(t, heard) != "good morning" {
		continue
	}
	imClient.Disconnect()
	if err := receive(t, disconnected); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("OnDisconnect(%v)", err)
	}
}

func nacosSimpleConfig() (*client.Client, error) {
	// 获取Nacos gRPC客户端
	grpcClient, err := nacos_sdk.GetGRPCClient(
		"im-service",    // 服务名
		"DEFAULT_GROUP", // Nacos组
		newImServiceClient,
	)
	if err != nil {
		return nil, err
	}

	// 直接创建IM客户端
	imClient, err := client.NewClientWithGRPC(grpcClient, "user123")
	return imClient, err
}

func nacosAdvancedConfig(grpcClient imv1.IMServiceClient) (*client.Client, error) {
	// 自定义配置
	config := &client.Config{
		UserID:            "user123",
		DefaultRoomID:     "default_room",
		RequestTimeout:    60 * time.Second, // 请求超时
		HeartbeatInterval: 45 * time.Second, // 心跳间隔

		// 回调函数仍然有效
		OnMessage: func(msg *imv1.MessageResponse) {
			log.Printf("收到消息: %s", string(msg.Content))
		},
		OnConnect: func() {
			log.Println("IM连接成功")
		},
		OnDisconnect: func(err error) {
			log.Printf("IM连接断开: %v", err)
		},
		OnError: func(err error) {
			log.Printf("IM错误: %v", err)
		},
	}

	// 使用自定义配置创建客户端
	imClient, err := client.NewClientWithGRPCAndConfig(grpcClient, config)
	return imClient, err
}

// Over a connection that is not its own, a client comes back as well, tells so, and why it was
// gone.
func TestSeedNacosModeReconnects(t *testing.T) {
	serveNacos(t)
	simple, err := nacosSimpleConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := simple.Connect(); err != nil {
		t.Fatal(err)
	}
	simple.Disconnect()

	host := connect(t, "host", "default_room")
	relay := client.NewRelay(t, client.StartNode(t))
	conn := dial(t, relay.Addr())
	imClient, err := nacosAdvancedConfig(newImServiceClient(conn))
	if err != nil {
		t.Fatal(err)
	}
	if err := imClient.Connect(); err != nil {
		t.Fatal(err)
	}
	defer imClient.Disconnect()
	log.await("IM连接成功")
	relay.Cut()
	log.await("IM错误: ")
	log.await("IM连接断开: rpc error: code = Unavailable")
	log.await("IM连接成功")
	host.say("are you back")
	log.await("收到消息: are you back")
}

func directConnection(config *client.Config, port int) {
	// 不使用服务发现
	config.Discovery = nil

	// 手动设置服务列表
	services := []*discovery.ServiceInfo{
		{
			ID:      "im-service-1",
			Address: "127.0.0.1",
			Port:    port,
			Health:  "healthy",
		},
		{
			ID:      "im-service-2",
			Address: "localhost",
			Port:    port,
			Health:  "healthy",
		},
	}

	config.LoadBalancer.Update(services)
}

func roundRobin(config *client.Config) {
	config.LoadBalancer = discovery.NewRoundRobinBalancer()
}

func TestSeedDirectConnection(t *testing.T) {
	config := client.DefaultConfig()
	config.UserID = "user123"
	roundRobin(config)
	directConnection(config, port(t))
	for range 2 {
		imClient, err := client.NewClient(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := imClient.Connect(); err != nil {
			t.Fatal(err)
		}
		imClient.Disconnect()
	}
}
