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

// A conversation is opened at its end, and read back as somebody scrolls.
func ExampleClient_History() {
	ctx := context.Background()
	c := connected("alice", "lobby")
	defer c.Disconnect()
	for page := (client.HistoryOptions{Limit: 30}); ; {
		history, err := c.History(ctx, "lobby", page)
		if err != nil {
			panic(err)
		}
		for _, m := range history.GetMessages() { // from the oldest to the newest, to be put above what is shown
			fmt.Printf("%d %s: %s\n", m.GetSeq(), m.GetFromUserId(), m.GetContent())
		}
		if !history.GetMore() {
			return
		}
		page.Before = history.GetMessages()[0].GetSeq()
	}
}

// A room is copied from the last message that the copy has. What the server does not keep any more is told.
func ExampleClient_Past() {
	ctx := context.Background()
	c := connected("archivist", "lobby")
	defer c.Disconnect()
	last := int64(4711)
	for m, err := range c.Past(ctx, "lobby", client.HistoryOptions{After: last, Limit: 500}) {
		if gap, ok := errors.AsType[*client.GapError](err); ok {
			fmt.Printf("%d to %d were gone before they could be copied\n", gap.From, gap.To)
			continue
		}
		if err != nil {
			fmt.Println("to be continued after", last, err)
			return
		}
		fmt.Printf("%d %s: %s\n", m.GetSeq(), m.GetFromUserId(), m.GetContent())
		last = m.GetSeq()
	}
}

// A program that keeps the messages of its user catches up. After a failure, and at the next start, it goes
// on behind what it has.
func ExampleClient_Sync() {
	ctx := context.Background()
	c := connected("alice", "")
	defer c.Disconnect()
	cursors := map[string]int64{"lobby": 41} // as it was saved
	rooms, err := c.Sync(ctx, cursors, func(room *imv1.RoomPage) error {
		if room.GetReset_() {
			fmt.Println("forget what is kept of", room.GetRoomId())
		}
		for _, m := range room.GetMessages() {
			fmt.Printf("keep %s %d: %s\n", m.GetRoomId(), m.GetSeq(), m.GetContent())
		}
		return nil // an error here ends it, and this page comes again
	})
	fmt.Println("save", cursors) // whether it has failed or not
	if errors.Is(err, client.ErrUnsupported) {
		fmt.Println("the server is too old: only what it delivers can be kept")
		return
	}
	if err != nil {
		panic(err)
	}
	for _, room := range rooms {
		fmt.Println(room.GetRoomId(), room.GetUnread(), "unread")
	}
}

// What has been looked at is not unread any more, on any device of the user.
func ExampleClient_MarkRead() {
	ctx := context.Background()
	c := connected("alice", "lobby")
	defer c.Disconnect()
	room, err := c.Unread(ctx, "lobby")
	if err != nil {
		panic(err)
	}
	fmt.Println(room.GetUnread(), "unread of", room.GetHeadSeq())
	if room, err = c.MarkRead(ctx, "lobby", room.GetHeadSeq()); err != nil {
		panic(err)
	}
	fmt.Println(room.GetUnread(), "unread")
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
