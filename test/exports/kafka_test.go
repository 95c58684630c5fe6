package exports

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/game-im/hermod/test/loopback"
	"github.com/game-im/hermod/test/process"
)

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
	same(t, exportedToKafka(t, addr, len(want)), want)
}

// exportedToKafka reads so many events, besides what the node itself tells rooms.
func exportedToKafka(t *testing.T, addr string, most int) (events []string) {
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
			if v := decode(t, r.Value); v.Type != "system" {
				events = append(events, fmt.Sprintf("%s %s %s %s", r.Key, v.Kind, v.UserID, v.Text))
			}
		}
	}
	return events
}
