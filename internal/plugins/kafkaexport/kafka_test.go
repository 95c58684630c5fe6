package kafkaexport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/plugins/kafkaexport"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/test/loopback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 3 * time.Minute

// kafka is a cluster, and a topic in it, for a test.
type kafka struct {
	t     *testing.T
	addr  string
	topic string
	own   []kgo.Opt // of the test's own clients
}

// process is a cluster of one broker within the test's process, which may be stopped and started with its data and port.
type process struct {
	kafka
	options []kfake.Opt
	running *kfake.Cluster
}

func startKafka(t *testing.T, options ...kfake.Opt) *process {
	t.Helper()
	addr := loopback.Addr(t)
	var port int
	if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	p := &process{kafka: kafka{t: t, addr: addr, topic: "hermod.rooms"}}
	p.options = append([]kfake.Opt{kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(t.TempDir()), kfake.DefaultNumPartitions(4)}, options...)
	p.start()
	t.Cleanup(p.stop)
	return p
}

func (p *process) start() {
	p.t.Helper()
	running, err := kfake.NewCluster(p.options...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.running = running
}

func (p *process) stop() {
	if p.running != nil {
		p.running.Close()
		p.running = nil
	}
}

// client returns a client of the test's own.
func (k *kafka) client(options ...kgo.Opt) *kgo.Client {
	k.t.Helper()
	client, err := kgo.NewClient(append(append([]kgo.Opt{kgo.SeedBrokers(k.addr), kgo.DisableClientMetrics()}, k.own...), options...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(client.Close)
	return client
}

// makeTopic makes the topic of the export.
func (k *kafka) makeTopic(partitions int, settings map[string]string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	made := kmsg.NewCreateTopicsRequestTopic()
	made.Topic, made.NumPartitions, made.ReplicationFactor = k.topic, int32(partitions), 1
	for name, value := range settings {
		setting := kmsg.NewCreateTopicsRequestTopicConfig()
		setting.Name, setting.Value = name, &value
		made.Configs = append(made.Configs, setting)
	}
	ask := kmsg.NewPtrCreateTopicsRequest()
	ask.Topics = append(ask.Topics, made)
	got, err := ask.RequestWith(ctx, k.client())
	if err != nil {
		k.t.Fatal(err)
	}
	if code := got.Topics[0].ErrorCode; code != 0 {
		k.t.Fatalf("the topic is not made: error %d", code)
	}
}

// deleteTopic deletes it.
func (k *kafka) deleteTopic() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	gone := kmsg.NewDeleteTopicsRequestTopic()
	gone.Topic = &k.topic
	ask := kmsg.NewPtrDeleteTopicsRequest()
	ask.TopicNames, ask.Topics = []string{k.topic}, append(ask.Topics, gone)
	got, err := ask.RequestWith(ctx, k.client())
	if err != nil {
		k.t.Fatal(err)
	}
	if code := got.Topics[0].ErrorCode; code != 0 {
		k.t.Fatalf("the topic is not deleted: error %d", code)
	}
}

// exporting is an export that runs until stop, or the end of the test.
type exporting struct {
	*kafkaexport.Export
	stopped bool
}

func (e *exporting) stop(ctx context.Context) error {
	if e.stopped {
		return nil
	}
	e.stopped = true
	return e.Stop(ctx)
}

// started returns an export to the cluster that makes its topic.
func (k *kafka) started(set func(*kafkaexport.Config)) *exporting {
	k.t.Helper()
	e, err := k.try(io.Discard, func(c *kafkaexport.Config) {
		c.CreateTopic = true
		if set != nil {
			set(c)
		}
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return e
}

func (k *kafka) try(log io.Writer, set func(*kafkaexport.Config)) (*exporting, error) {
	k.t.Helper()
	e := &exporting{Export: kafkaexport.New()}
	c := e.Config().(*kafkaexport.Config)
	c.Brokers, c.Topic = []string{k.addr}, k.topic
	set(c)
	if err := e.Validate(); err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(plugin.WithLogger(k.t.Context(), slog.New(slog.NewTextHandler(log, nil))), patience)
	defer cancel()
	if err := e.Start(ctx); err != nil {
		return nil, err
	}
	k.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what is left by now is left by a test that has failed, or on purpose
		_ = e.stop(ctx)
	})
	return e, nil
}

// event is what a consumer reads.
type event struct {
	Kind, ID, Type, Text, Nickname, Role string
	RoomID                               string `json:"room_id"`
	UserID                               string `json:"user_id"`
	ClientID                             string `json:"client_id"`
	Seq                                  int64
	Content                              []byte
	Metadata                             map[string]string
	Time                                 time.Time

	record *kgo.Record
}

func (v event) header(key string) string {
	for _, h := range v.record.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// read reads so many events of the topic, from the first on, in the order of each partition.
func (k *kafka) read(most int) (events []event) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	client := k.client(kgo.ConsumeTopics(k.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.FetchMaxWait(100*time.Millisecond))
	defer client.Close()
	for len(events) < most {
		fetched := client.PollFetches(ctx)
		if ctx.Err() != nil {
			k.t.Fatalf("%d events are there; want %d; %v", len(events), most, fetched.Errors())
		}
		fetched.EachRecord(func(r *kgo.Record) {
			v := event{record: r}
			if err := json.Unmarshal(r.Value, &v); err != nil {
				k.t.Error(err)
			}
			events = append(events, v)
		})
	}
	return events
}

// ids reads so many events and returns their ids.
func (k *kafka) ids(most int) (ids []string) {
	k.t.Helper()
	for _, v := range k.read(most) {
		ids = append(ids, v.ID)
	}
	return ids
}

// stored is how many records the topic has.
func (k *kafka) stored() (n int64) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	client := k.client()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &k.topic
	ask := kmsg.NewPtrMetadataRequest()
	ask.Topics = append(ask.Topics, asked)
	about, err := ask.RequestWith(ctx, client)
	if err != nil {
		k.t.Fatal(err)
	}
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = k.topic
	for _, p := range about.Topics[0].Partitions {
		end := kmsg.NewListOffsetsRequestTopicPartition()
		end.Partition, end.Timestamp = p.Partition, -1
		of.Partitions = append(of.Partitions, end)
	}
	list := kmsg.NewPtrListOffsetsRequest()
	list.Topics = append(list.Topics, of)
	ends, err := list.RequestWith(ctx, client)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, t := range ends.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				k.t.Fatalf("partition %d: error %d", p.Partition, p.ErrorCode)
			}
			n += p.Offset
		}
	}
	return n
}

// inOrder holds events against what was said: every room has seq 1 to so many, one after the other, in one partition.
func inOrder(t *testing.T, events []event, rooms, each int) {
	t.Helper()
	last, partition := map[string]int64{}, map[string]int32{}
	for _, v := range events {
		if v.Seq != last[v.RoomID]+1 {
			t.Fatalf("room %s has seq %d behind %d", v.RoomID, v.Seq, last[v.RoomID])
		}
		if at, known := partition[v.RoomID]; known && at != v.record.Partition {
			t.Fatalf("room %s is in partitions %d and %d", v.RoomID, at, v.record.Partition)
		}
		last[v.RoomID], partition[v.RoomID] = v.Seq, v.record.Partition
	}
	if len(last) != rooms || len(events) != rooms*each {
		t.Errorf("%d events of %d rooms; want %d of each of %d", len(events), len(last), each, rooms)
	}
}

// talk has something said in rooms, all at once, and tells of each event that the export has taken.
func talk(t *testing.T, e *exporting, rooms, each int, taken func()) {
	t.Helper()
	var talking sync.WaitGroup
	for room := range rooms {
		talking.Go(func() {
			for seq := 1; seq <= each; seq++ {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				err := e.ObserveMessage(ctx, saidIn(fmt.Sprint("room ", room), seq))
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				taken()
			}
		})
	}
	talking.Wait()
}

func observe(t *testing.T, e *exporting, m plugin.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := e.ObserveMessage(ctx, m); err != nil {
		t.Fatal(err)
	}
}

func said(seq int) plugin.Message { return saidIn("hall", seq) }

func saidIn(room string, seq int) plugin.Message {
	return plugin.Message{ID: fmt.Sprint(room, " ", seq), RoomID: room, Seq: int64(seq), UserID: "ann", Type: plugin.Text, Content: []byte("hi"), Time: time.Now()}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the topic has %q; want %q", got, want)
	}
}
