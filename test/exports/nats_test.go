package exports

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/game-im/hermod/test/process"
)

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
	same(t, exportedToNATS(t, s, len(want)), want)
}

// exportedToNATS reads so many events, besides what the node itself tells rooms.
func exportedToNATS(t *testing.T, s *server.Server, most int) (events []string) {
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
		if v := decode(t, m.Data()); v.Type != "system" {
			where := strings.ReplaceAll(strings.TrimPrefix(m.Subject(), "hermod.rooms."), ".", " ") // room and kind
			events = append(events, where+" "+v.UserID+" "+v.Text)
		}
	}
	return events
}
