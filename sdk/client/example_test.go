package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// A bot that answers whoever says hello, until it is interrupted.
func Example_bot() {
	var bot *client.Client
	bot, err := client.NewClient(&client.Config{
		UserID:        "bot",
		DefaultRoomID: "lobby",
		Services:      []*discovery.ServiceInfo{{Address: "127.0.0.1", Port: 8083}},
		MaxRetries:    -1, // a bot never gives up
		Logger:        slog.Default(),
		OnMessage: func(m *imv1.MessageResponse) {
			if string(m.GetContent()) != "hello" {
				return
			}
			if err := bot.SendTextMessage(m.GetRoomId(), "hello, "+m.GetFromUserId()); err != nil {
				slog.Default().Warn("no answer", "reason", client.Reason(err), "error", err)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bot.ConnectContext(ctx); err != nil {
		panic(err)
	}
	<-ctx.Done()
	_ = bot.Disconnect() // never fails
}

// One connection for thousands of users: each has a client, which costs some 22 KiB and two
// goroutines.
func ExampleNewClientWithGRPCAndConfig() {
	conn, err := grpc.NewClient("dns:///im.example.com:8083", grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{})))
	if err != nil {
		panic(err)
	}
	defer conn.Close() // the clients do not
	stub := imv1.NewIMServiceClient(conn)

	createIMClient := func(ctx context.Context, user, room string, onMessage func(*imv1.MessageResponse)) (*client.Client, error) {
		c, err := client.NewClientWithGRPCAndConfig(stub, &client.Config{
			UserID: user, DefaultRoomID: room, OnMessage: onMessage,
			TokenSource: func(context.Context) (string, error) { return "the token of " + user, nil },
		})
		if err == nil {
			err = c.ConnectContext(ctx)
		}
		return c, err
	}
	var clients []*client.Client
	for i := range 1000 {
		c, err := createIMClient(context.Background(), fmt.Sprintf("user-%d", i), "lobby", func(*imv1.MessageResponse) {})
		if err != nil {
			panic(err)
		}
		clients = append(clients, c)
	}
	// ... and in the end
	for _, c := range clients {
		_ = c.Disconnect()
	}
}

// A recording is uploaded, announced to the room, and written down.
func ExampleClient_UploadAudioFile() {
	ctx := context.Background()
	c := connected("alice", "lobby")
	defer c.Disconnect()
	audio, err := c.UploadAudioFile(ctx, "greeting.opus", client.UploadOptions{
		Progress: func(sent, total int64) { fmt.Printf("%d of %d bytes\n", sent, total) },
	})
	if err != nil {
		panic(err)
	}
	if err := c.SendMessage(&imv1.MessageRequest{
		Type:    imv1.MessageType_MESSAGE_TYPE_AUDIO,
		Content: fmt.Appendf(nil, `{"audio_id":%q}`, audio.GetAudioId()),
	}); err != nil {
		panic(err)
	}
	transcript, err := c.WaitTranscript(ctx, audio.GetAudioId())
	if failed, ok := errors.AsType[*client.TranscriptError](err); ok {
		fmt.Println("no transcript:", failed.Reason)
		return
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(transcript.GetText())
}

// Many messages in order, as fast as the server allows.
func ExampleClient_SendBatch() {
	c := connected("alice", "lobby")
	defer c.Disconnect()
	var lines []*imv1.MessageRequest
	for i := range 10_000 {
		lines = append(lines, &imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: fmt.Appendf(nil, "line %d", i)})
	}
	outcomes, err := c.SendBatch(context.Background(), lines)
	if err == nil {
		fmt.Println("the last one is number", outcomes[len(outcomes)-1].Result.Seq, "of the room")
		return
	}
	for i, o := range outcomes {
		if o.Err != nil {
			fmt.Println("line", i, "failed:", client.Reason(o.Err), o.Err)
		}
	}
}

// Messages from strangers do not reach OnMessage; how many there were is counted.
func ExampleConfig_validate() {
	c, err := client.NewClient(&client.Config{
		UserID:   "alice",
		Services: []*discovery.ServiceInfo{{Address: "127.0.0.1", Port: 8083}},
		Validate: func(m *imv1.MessageResponse) error {
			if m.GetFromUserId() == "mallory" {
				return errors.New("from mallory")
			}
			return nil
		},
		OnError: func(err error) {
			if invalid, ok := errors.AsType[*client.InvalidMessageError](err); ok {
				fmt.Println("dropped", invalid.Message.GetMessageId())
			}
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Stats().Invalid)
	// Output: 0
}

// connected returns a client of a node on this machine.
func connected(user, room string) *client.Client {
	c, err := client.NewClient(&client.Config{
		UserID: user, DefaultRoomID: room,
		Services: []*discovery.ServiceInfo{{Address: "127.0.0.1", Port: 8083}},
	})
	if err != nil {
		panic(err)
	}
	if err := c.Connect(); err != nil {
		panic(err)
	}
	return c
}
