package natsexport

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m, "app/hermod/cmd/hermod")) }

func startNATS(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(process.Patience) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

// A node whose configuration names the plugin exports who joins and what is said, in order, also what was said right
// before it stops.
func TestNodeExports(t *testing.T) {
	t.Parallel()
	s := startNATS(t)
	node := process.Prepare(t, fmt.Sprintf(`
plugins:
  - name: nats-export
    deadline: 5s
    config:
      urls: [%q]
      create_stream: true
      max_age: 1h
      max_bytes: 100000000
      in_flight: 16
`, s.ClientURL()))
	node.Boot()
	want := talk(t, node)
	node.Stop()
	got := exported(t, s, len(want))
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("event %d is %q; want %q", i, got[i], want[i])
		}
	}
}

// talk has ann join a room and say something there, and returns what is to be exported of that.
func talk(t *testing.T, node *process.Node) (events []string) {
	t.Helper()
	conn, err := grpc.NewClient(node.IM, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	im := imv1.NewIMServiceClient(conn)
	if _, err := im.JoinRoom(t.Context(), &imv1.JoinRoomRequest{RoomId: "hall", UserId: "ann"}); err != nil {
		t.Fatal(err)
	}
	events = append(events, "hermod.rooms.hall.joined ann ")
	for i := range 100 {
		text := fmt.Sprint("text ", i)
		_, err := im.SendMessage(t.Context(), &imv1.SendMessageRequest{
			RoomId: "hall", UserId: "ann", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text),
		})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, "hermod.rooms.hall.message ann "+text)
	}
	return events
}

// exported reads so many events, besides what the node itself tells rooms.
func exported(t *testing.T, s *server.Server, most int) (events []string) {
	t.Helper()
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), process.Patience)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "HERMOD", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for len(events) < most {
		m, err := consumer.Next(jetstream.FetchMaxWait(process.Patience))
		if err != nil {
			t.Fatalf("after %s: %v", strings.Join(events, ", "), err)
		}
		var v struct {
			Type, Text string
			UserID     string `json:"user_id"`
		}
		if err := json.Unmarshal(m.Data(), &v); err != nil {
			t.Fatal(err)
		}
		if v.Type != "system" {
			events = append(events, m.Subject()+" "+v.UserID+" "+v.Text)
		}
	}
	return events
}
