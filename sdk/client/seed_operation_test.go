package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

func errorHandling(config *client.Config, updateConnectionStatus func(bool), rejoinRooms func()) {
	config.OnError = func(err error) {
		log.Printf("发生错误: %v", err)

		// 可以根据错误类型进行不同处理
		if grpcErr, ok := status.FromError(err); ok {
			switch grpcErr.Code() {
			case codes.Unavailable:
				log.Println("服务不可用，等待重连...")
			case codes.Unauthenticated:
				log.Println("认证失败，请检查用户凭证")
			case codes.PermissionDenied:
				log.Println("权限不足")
			default:
				log.Printf("gRPC错误: %s", grpcErr.Message())
			}
		}
	}

	config.OnDisconnect = func(err error) {
		log.Printf("连接断开: %v", err)
		// SDK会自动重连，这里可以做一些状态更新
		updateConnectionStatus(false)
	}

	config.OnConnect = func() {
		log.Println("连接成功")
		updateConnectionStatus(true)

		// 重连后可能需要重新加入房间
		rejoinRooms()
	}
}

func reconnecting(config *client.Config) {
	// 配置重连参数
	config.MaxRetries = 10                 // 最多重试10次
	config.RetryInterval = 2 * time.Second // 每次重试间隔2秒
}

// 也可以实现指数退避
func exponentialBackoff(attempt int) time.Duration {
	return time.Duration(math.Pow(2, float64(attempt))) * time.Second
}

func timeouts(config *client.Config) {
	// 对于高并发场景，可以配置gRPC连接参数
	config.ConnectTimeout = 5 * time.Second     // 减少连接超时
	config.RequestTimeout = 10 * time.Second    // 减少请求超时
	config.HeartbeatInterval = 60 * time.Second // 增加心跳间隔
}

// A lost connection is told with its cause, callbacks may call the client, and it comes back by
// itself, after the time that the document's own backoff says.
func TestSeedErrorHandling(t *testing.T) {
	relay := client.NewRelay(t, client.StartNode(t))
	var up atomic.Bool
	var imClient *client.Client
	config := client.DefaultConfig()
	config.UserID = "careful"
	config.Services = []*discovery.ServiceInfo{{Address: relay.Addr()}}
	timeouts(config)
	reconnecting(config)
	var waited atomic.Int64
	config.Backoff = func(attempt int) time.Duration {
		waited.Store(int64(exponentialBackoff(attempt)))
		return exponentialBackoff(attempt) / 100
	}
	errorHandling(config, up.Store, func() {
		if !imClient.IsConnected() {
			log.Println("not connected in OnConnect")
		}
		if _, err := imClient.JoinRoom("careful-room", nil); err != nil {
			log.Printf("rejoin: %v", err)
			return
		}
		log.Println("rejoined")
	})
	imClient, err := client.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := imClient.Connect(); err != nil {
		t.Fatal(err)
	}
	defer imClient.Disconnect()
	log.await("rejoined")
	if !up.Load() {
		t.Error("the status says not connected")
	}
	relay.Cut()
	log.await("发生错误: rpc error: code = Unavailable")
	log.await("服务不可用，等待重连...")
	log.await("连接断开: rpc error: code = Unavailable")
	log.await("连接成功")
	log.await("rejoined")
	if waited.Load() < int64(2*time.Second) {
		t.Errorf("the backoff was asked for %v", time.Duration(waited.Load()))
	}
}

func dialTLS(address string) (*grpc.ClientConn, error) {
	// 生产环境建议使用TLS
	conn, err := grpc.Dial(address, //nolint:staticcheck // as the document has it
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{})),
	)
	return conn, err
}

// A connection with TLS can be given to the client. That of the node is in plain text: what it says
// is that there is no TLS, so TLS was tried. TestTLS is the way that works.
func TestSeedTLS(t *testing.T) {
	conn, err := dialTLS(client.StartNode(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	imClient, err := client.NewClientWithGRPC(newImServiceClient(conn), "user123")
	if err != nil {
		t.Fatal(err)
	}
	if err := imClient.Connect(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "tls") {
		t.Errorf("Connect: %v", err)
	}
}

func debugMode(config *client.Config, client *client.Client, done <-chan struct{}) {
	// 启用详细日志
	config.OnError = func(err error) {
		log.Printf("详细错误信息: %+v", err)
	}

	// 监控连接状态
	go func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()

		for {
			select {
			case <-ticker.C:
				if client.IsConnected() {
					log.Println("连接状态: 已连接")
				} else {
					log.Println("连接状态: 未连接")
				}
			case <-done: // the document's goroutine never ends
				return
			}
		}
	}()
}

func TestSeedDebugMode(t *testing.T) {
	user := connect(t, "user123", "room123")
	done := make(chan struct{})
	defer close(done)
	debugMode(client.DefaultConfig(), user.Client, done)
	log.await("连接状态: 已连接")
	user.Disconnect()
	log.await("连接状态: 未连接")
}

func production(consulDiscovery discovery.ServiceDiscovery) *client.Config {
	productionConfig := &client.Config{
		ConnectTimeout:    15 * time.Second,
		RequestTimeout:    60 * time.Second,
		HeartbeatInterval: 120 * time.Second,
		MaxRetries:        5,
		RetryInterval:     10 * time.Second,
		// 使用生产环境的服务发现
		Discovery: consulDiscovery,
	}
	return productionConfig
}

// It has no user, which is said, and no balancer, which is not needed.
func TestSeedProductionConfig(t *testing.T) {
	config := production(registry{"im-service", port(t)})
	if _, err := client.NewClient(config); err == nil || !strings.Contains(err.Error(), "UserID") {
		t.Errorf("without a user: %v", err)
	}
	config.UserID = "producer"
	imClient, err := client.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := imClient.Connect(); err != nil {
		t.Fatal(err)
	}
	imClient.Disconnect()
}

// config and logger are packages of the program that CreateImClient was taken from.
var (
	config = struct{ SubImServerName, NacosGroup string }{"im-service", "DEFAULT_GROUP"}
	logger contextLogger
)

type contextLogger struct{}

func (contextLogger) Infof(_ context.Context, format string, args ...any) {
	log.Printf(format, args...)
}
func (contextLogger) Errorf(_ context.Context, format string, args ...any) {
	log.Printf(format, args...)
}

func CreateImClient(ctx context.Context, userID string, roomId string, onMessage func(msg *imv1.MessageResponse, err error)) (*client.Client, error) { //nolint:revive // roomId: as the document has it
	// 创建 gRPC 客户端
	grpcClient, err := nacos_sdk.GetGRPCClient(
		config.SubImServerName, config.NacosGroup, newImServiceClient)
	if err != nil {
		return nil, err
	}

	// 配置 IM 客户端
	imConfig := &client.Config{
		UserID:            userID, // 会自动通过 metadata 传递
		DefaultRoomID:     roomId, // 会自动通过 metadata 传递
		RequestTimeout:    60 * time.Second,
		HeartbeatInterval: 45 * time.Second,
		OnMessage: func(msg *imv1.MessageResponse) {
			logger.Infof(ctx, "📨 收到消息: [%s] %s: %s",
				msg.RoomId, msg.FromUserId, string(msg.Content))
			onMessage(msg, nil)
		},
		OnConnect: func() {
			logger.Infof(ctx, "✅ IM客户端连接成功")
		},
		OnDisconnect: func(err error) {
			logger.Infof(ctx, "❌ IM客户端连接断开: %v", err)
			onMessage(nil, errors.New(fmt.Sprintf("❌ IM客户端连接断开: %v", err))) //nolint:revive,staticcheck // as the document has it
		},
		OnError: func(err error) {
			logger.Infof(ctx, "❌ IM客户端连接断开: %v", err)
			onMessage(nil, errors.New(fmt.Sprintf("❌ IM客户端连接断开: %v", err))) //nolint:revive,staticcheck // as the document has it
		},
	}

	// 创建客户端（自动使用 metadata 传递用户信息）
	imClient, err := client.NewClientWithGRPCAndConfig(grpcClient, imConfig)
	if err != nil {
		log.Fatalf("创建IM客户端失败: %v", err)
		return nil, err
	}

	// 连接到服务器
	err = imClient.Connect()
	if err != nil {
		logger.Errorf(ctx, "[%s] <JoinRoom> Connect <Err>: %v", userID, err)
		return nil, err
	}

	return imClient, nil
}

// Nobody joins anything by hand: the metadata of the stream is enough.
func TestSeedCreateImClient(t *testing.T) {
	serveNacos(t)
	heard, ended := make(chan string, 64), make(chan error, 64)
	onMessage := func(msg *imv1.MessageResponse, err error) {
		if err != nil {
			ended <- err
		} else if msg.GetType() == imv1.MessageType_MESSAGE_TYPE_TEXT {
			heard <- msg.GetFromUserId() + ": " + string(msg.GetContent())
		}
	}
	one, err := CreateImClient(t.Context(), "one", "created", onMessage)
	if err != nil {
		t.Fatal(err)
	}
	log.await("✅ IM客户端连接成功")
	two, err := CreateImClient(t.Context(), "two", "created", func(*imv1.MessageResponse, error) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := two.SendTextMessage("created", "hello"); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, heard); got != "two: hello" {
		t.Errorf("got %q", got)
	}
	log.await("📨 收到消息: [created] two: hello")
	info, err := one.GetRoomInfo("created")
	if err != nil || info.RoomInfo.UserCount != 2 {
		t.Errorf("room %v, %v", info, err)
	}
	one.Disconnect()
	two.Disconnect()
	if err := receive(t, ended); !strings.Contains(err.Error(), client.ErrDisconnected.Error()) {
		t.Errorf("ended with %v", err)
	}
}
