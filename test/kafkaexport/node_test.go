package kafkaexport

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/loopback"
	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m, "app/hermod/cmd/hermod")) }

// startKafka starts a cluster of one broker within the test's process.
func startKafka(t *testing.T) (addr string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(loopback.Port(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

// A node whose configuration names the plugin exports who joins and what is said, in order, also what was said right
// before it stops.
func TestNodeExportsToKafka(t *testing.T) {
	t.Parallel()
	addr := startKafka(t)
	node := process.Prepare(t, fmt.Sprintf(`
plugins:
  - name: kafka-export
    deadline: 5s
    config:
      brokers: [%q]
      topic: rooms
      create_topic: true
      partitions: 3
      max_age: 1h
      in_flight: 16
      compression: zstd
`, addr))
	node.Boot()
	want := talk(t, node)
	node.Stop()
	got := exported(t, addr, len(want))
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
	events = append(events, "hall joined ann ")
	for i := range 100 {
		text := fmt.Sprint("text ", i)
		_, err := im.SendMessage(t.Context(), &imv1.SendMessageRequest{
			RoomId: "hall", UserId: "ann", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text),
		})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, "hall message ann "+text)
	}
	return events
}

// exported reads so many events, besides what the node itself tells rooms.
func exported(t *testing.T, addr string, most int) (events []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("rooms"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), process.Patience)
	defer cancel()
	for len(events) < most {
		fetched := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("after %q: %v", events, fetched.Errors())
		}
		for _, r := range fetched.Records() {
			var v struct {
				Kind, Type, Text string
				UserID           string `json:"user_id"`
			}
			if err := json.Unmarshal(r.Value, &v); err != nil {
				t.Fatal(err)
			}
			if v.Type != "system" {
				events = append(events, fmt.Sprintf("%s %s %s %s", r.Key, v.Kind, v.UserID, v.Text))
			}
		}
	}
	return events
}
