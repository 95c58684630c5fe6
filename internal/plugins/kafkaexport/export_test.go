package kafkaexport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/game-im/hermod/internal/plugins/kafkaexport"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
	"github.com/game-im/hermod/test/authority"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	plugintest.Plugin(t, func() plugin.Plugin { return kafkaexport.New() })
	e := startKafka(t).started(nil)
	plugintest.MessageObserver(t, e, said(1))
	plugintest.RoomObserver(t, e)
}

func TestWhatIsExported(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	e := k.started(nil)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("east", 3600))
	observe(t, e, plugin.Message{
		ID: "m1", RoomID: "a room.*>ü/", Seq: 7, UserID: "ann", ClientID: "c1", Type: plugin.RichText,
		Content: []byte("<b>hi</b>"), Metadata: map[string]string{"k": "v"}, Time: at,
	})
	observe(t, e, plugin.Message{ID: "m2", RoomID: "a room.*>ü/", UserID: "ann", Type: 77, Content: []byte{0xff, 0}, Time: at})
	for _, kind := range []plugin.RoomEventKind{plugin.Joined, plugin.Left, 99} {
		if err := e.ObserveRoom(t.Context(), plugin.RoomEvent{Kind: kind, RoomID: "a room.*>ü/", UserID: "b b", Nickname: "Bob", Role: "admin", Time: at}); err != nil {
			t.Fatal(err)
		}
	}
	got := k.read(4)
	first := got[0]
	if first.Kind != "message" || first.ID != "m1" || first.RoomID != "a room.*>ü/" || first.Seq != 7 || first.UserID != "ann" ||
		first.ClientID != "c1" || first.Type != "rich_text" || first.Text != "<b>hi</b>" || first.Content != nil ||
		first.Metadata["k"] != "v" || !first.Time.Equal(at) {
		t.Errorf("the first is %+v", first)
	}
	if second := got[1]; second.Type != "77" || string(second.Content) != "\xff\x00" || second.Text != "" || second.Seq != 0 {
		t.Errorf("the second is %+v", second)
	}
	for i, kind := range []string{"joined", "left"} {
		if v := got[2+i]; v.Kind != kind || v.UserID != "b b" || v.Nickname != "Bob" || v.Role != "admin" || !v.Time.Equal(at) {
			t.Errorf("%s is %+v", kind, v)
		}
	}
	ids := []string{"m1", "m2", "joined a%20room.%2A%3E%C3%BC%2F b%20b 1767319445006000000", "left a%20room.%2A%3E%C3%BC%2F b%20b 1767319445006000000"}
	for i, v := range got {
		if string(v.record.Key) != v.RoomID || !v.record.Timestamp.Equal(at) || v.record.ProducerID < 0 || v.record.Partition != first.record.Partition ||
			v.header("kind") != v.Kind || v.header("content-type") != "application/json" || v.header("id") != ids[i] {
			t.Errorf("event %d is in the record %+v", i, v.record)
		}
	}
}

// All replicas that are in sync must have it, and each codec is used when it is named.
func TestAcksAndCompression(t *testing.T) {
	t.Parallel()
	for number, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			k := startKafka(t)
			acks := make(chan int16, 8)
			k.running.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				k.running.KeepControl()
				acks <- r.(*kmsg.ProduceRequest).Acks
				return nil, nil, false
			})
			e := k.started(func(c *kafkaexport.Config) { c.Compression = codec })
			m := said(1)
			m.Content = bytes.Repeat([]byte("hi"), 1000)
			observe(t, e, m)
			if got := k.read(1)[0].record.Attrs.CompressionType(); int(got) != number {
				t.Errorf("codec %d; want %d", got, number)
			}
			if got := <-acks; got != -1 {
				t.Errorf("acks %d; want all", got)
			}
		})
	}
}

// Every room keeps its order, and all of it is in one partition, while many are talked in at once and brokers take
// partitions over from each other.
func TestOrderOfRooms(t *testing.T) {
	t.Parallel()
	const rooms, each = 40, 50
	k := startKafka(t)
	for range 2 {
		if _, _, err := k.running.AddNode(-1, 0); err != nil {
			t.Fatal(err)
		}
	}
	k.makeTopic(8, nil)
	e := k.started(func(c *kafkaexport.Config) { c.InFlight = 64 })
	var taken atomic.Int64
	talk(t, e, rooms, each, func() {
		if taken.Add(1)%(rooms*each/10) == 0 {
			k.running.ShufflePartitionLeaders()
		}
	})
	if err := e.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, k.read(rooms*each), rooms, each)
	if n := k.stored(); n != rooms*each {
		t.Errorf("%d events are stored; want %d", n, rooms*each)
	}
}

// An outage that the window can hold loses nothing, repeats nothing and keeps the order, whether events were on their way or
// not.
func TestOutageLosesNothing(t *testing.T) {
	t.Parallel()
	const rooms, each = 4, 100
	k := startKafka(t)
	e := k.started(func(c *kafkaexport.Config) { c.AckTimeout = time.Second })
	for seq := 1; seq <= each; seq++ {
		switch seq {
		case 25:
			k.stop()
		case 60: // the window holds those between
			k.start()
		}
		for room := range rooms {
			observe(t, e, saidIn(fmt.Sprint("room ", room), seq))
		}
	}
	inOrder(t, k.read(rooms*each), rooms, each)
	if err := e.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := k.stored(); n != rooms*each {
		t.Errorf("%d events are stored; want %d", n, rooms*each)
	}
}

// When the window is full the node is told, as soon as the call's context is done. Stop says what is lost.
func TestFullWindowIsToldOf(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	e := k.started(func(c *kafkaexport.Config) { c.InFlight = 3 })
	k.stop()
	for seq := range 3 {
		observe(t, e, said(seq+1))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.ObserveMessage(ctx, said(4)); err == nil || !strings.Contains(err.Error(), "3 events wait") {
		t.Errorf("error %v; want one that says that 3 events wait", err)
	}
	stopping, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.stop(stopping); err == nil || !strings.Contains(err.Error(), "3 events are lost") || !strings.Contains(err.Error(), "hermod.rooms") {
		t.Errorf("error %v; want one that says what is lost", err)
	}
}

// Stop waits until what it was told of is in the topic.
func TestStopFlushes(t *testing.T) {
	t.Parallel()
	const events = 200
	k := startKafka(t)
	e := k.started(nil)
	for seq := 1; seq <= events; seq++ {
		observe(t, e, said(seq))
	}
	if err := e.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := k.stored(); n != events {
		t.Errorf("%d events are stored; want %d", n, events)
	}
}

// The node starts without Kafka, and exports when it is there. When the topic is not, it waits for that, too.
func TestStartWithoutKafka(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	k.stop()
	var log lockedBuffer
	e, err := k.try(&log, func(*kafkaexport.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	log.await(t, "Kafka is away")
	observe(t, e, said(1))
	k.start()
	log.await(t, "there is no topic hermod.rooms; make it, or set create_topic")
	k.makeTopic(1, nil)
	same(t, k.ids(1), []string{"hall 1"})
}

// A topic that is deleted under an export is made again, or waited for.
func TestTopicThatIsDeleted(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	e := k.started(func(c *kafkaexport.Config) { c.Partitions = 1 })
	observe(t, e, said(1))
	same(t, k.ids(1), []string{"hall 1"})
	k.deleteTopic()
	observe(t, e, said(2))
	observe(t, e, said(3))
	if err := e.stop(t.Context()); err != nil {
		t.Error(err)
	}
	same(t, k.ids(2), []string{"hall 2", "hall 3"})
}

// What will never be taken is dropped. It holds up nothing else, not even what was sent together with it, whose order holds.
func TestEventsThatAreNeverTaken(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	k.makeTopic(1, map[string]string{"max.message.bytes": "2000"})
	k.stop() // so that all of it is one batch
	var log lockedBuffer
	e, err := k.try(&log, func(c *kafkaexport.Config) { c.MaxMessageBytes, c.Compression, c.InFlight = 60_000, "none", 32 })
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for seq := 1; seq <= 30; seq++ {
		m := said(seq)
		switch seq {
		case 3, 20:
			m.Content = bytes.Repeat([]byte("x"), 4000) // more than the topic takes
		case 11:
			m.Content = bytes.Repeat([]byte("x"), 70_000) // more than the client sends
		default:
			want = append(want, m.ID)
		}
		observe(t, e, m)
	}
	k.start()
	same(t, k.ids(len(want)), want)
	observe(t, e, said(31)) // the dropped ones have left the window
	if err := e.stop(t.Context()); err != nil {
		t.Error(err)
	}
	same(t, k.ids(len(want)+1), append(want, "hall 31"))
	for _, seq := range []int{3, 11, 20} {
		log.await(t, fmt.Sprintf(`msg="an event is not exported" room=hall id="hall %d"`, seq))
	}
}

// What a broker refuses for a while, as when rights are missing, waits and keeps its order.
func TestRefusalsThatPass(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	k.makeTopic(1, nil)
	var log lockedBuffer
	e, err := k.try(&log, func(*kafkaexport.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	const refusals = 7
	var asked int
	k.running.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.running.KeepControl()
		ask := r.(*kmsg.ProduceRequest)
		if several(ask) && asked < refusals { // those of one could not come apart
			asked++
			return refusal(ask, kerr.TopicAuthorizationFailed), nil, true
		}
		return nil, nil, false
	})
	var want []string
	const events = 200
	for seq := 1; seq <= events; seq++ {
		observe(t, e, said(seq))
		want = append(want, fmt.Sprint("hall ", seq))
	}
	same(t, k.ids(events), want)
	log.await(t, "Kafka does not take events, which wait")
	log.await(t, "TOPIC_AUTHORIZATION_FAILED")
}

// several tells whether a request has more than one event.
func several(r *kmsg.ProduceRequest) bool {
	n := int32(0)
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			var batch kmsg.RecordBatch
			if err := batch.ReadFrom(p.Records); err != nil {
				return false
			}
			n += batch.NumRecords
		}
	}
	return n > 1
}

// refusal answers for each partition with the same error.
func refusal(r *kmsg.ProduceRequest, says *kerr.Error) *kmsg.ProduceResponse {
	answer := r.ResponseKind().(*kmsg.ProduceResponse)
	for _, asked := range r.Topics {
		to := kmsg.NewProduceResponseTopic()
		to.Topic, to.TopicID = asked.Topic, asked.TopicID
		for _, p := range asked.Partitions {
			refused := kmsg.NewProduceResponseTopicPartition()
			refused.Partition, refused.ErrorCode = p.Partition, says.Code
			to.Partitions = append(to.Partitions, refused)
		}
		answer.Topics = append(answer.Topics, to)
	}
	return answer
}

func TestTopicsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	if _, err := k.try(io.Discard, func(*kafkaexport.Config) {}); err == nil || !strings.Contains(err.Error(), "there is no topic hermod.rooms; make it, or set create_topic") {
		t.Errorf("without a topic: %v", err)
	}
	_, err := k.try(io.Discard, func(c *kafkaexport.Config) { c.CreateTopic, c.Replicas = true, 9 })
	if err == nil || !strings.Contains(err.Error(), "create_topic: topic hermod.rooms: INVALID_REPLICATION_FACTOR") {
		t.Errorf("with more replicas than brokers: %v", err)
	}
}

// A topic that is made is as the keys say; one that is there stays as it is.
func TestTopicThatIsMade(t *testing.T) {
	t.Parallel()
	k := startKafka(t)
	k.started(func(c *kafkaexport.Config) { c.Partitions, c.MaxAge, c.MaxMessageBytes = 3, time.Hour, 2_000_000 })
	k.started(func(c *kafkaexport.Config) { c.Partitions, c.MaxAge = 5, 0 })
	if n := len(k.running.PartitionInfos(k.topic)); n != 3 {
		t.Errorf("%d partitions; want 3", n)
	}
	for name, want := range map[string]string{"retention.ms": "3600000", "max.message.bytes": "2000000"} {
		if is := k.running.TopicInfo(k.topic).Configs[name]; is == nil || *is != want {
			t.Errorf("%s is %v; want %s", name, is, want)
		}
	}
}

func TestSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			k := startKafka(t, kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), "hermod", "secret"))
			set := func(c *kafkaexport.Config) { c.SASL, c.User, c.Password = mechanism, "hermod", "secret" }
			e := k.started(set)
			observe(t, e, said(1))
			if err := e.stop(t.Context()); err != nil {
				t.Error(err)
			}
			k.running.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
				k.running.KeepControl()
				answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse) // which kfake hangs up instead of
				answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
				return answer, nil, true
			})
			if _, err := k.try(io.Discard, set); err == nil || !strings.Contains(err.Error(), "SASL_AUTHENTICATION_FAILED") {
				t.Errorf("where the password is refused: %v", err)
			}
		})
	}
}

// Brokers and node show each other certificates.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := authority.New(t)
	cert, key, ca := a.Files(t.TempDir(), authority.Leaf{Name: "kafka"})
	_, _, other := authority.New(t).Files(t.TempDir(), authority.Leaf{Name: "other"})
	k := startKafka(t, kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{a.Pair(authority.Leaf{Name: "kafka"})}, ClientCAs: a.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}))
	k.own = []kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{a.Pair(authority.Leaf{Name: "test"})}})}
	e := k.started(func(c *kafkaexport.Config) { c.TLS, c.CAFile, c.CertFile, c.KeyFile = true, ca, cert, key })
	observe(t, e, said(1))
	same(t, k.ids(1), []string{"hall 1"})
	for says, set := range map[string]func(*kafkaexport.Config){
		"unknown authority":                func(c *kafkaexport.Config) { c.CAFile, c.CertFile, c.KeyFile = other, cert, key },
		"certificate required":             func(c *kafkaexport.Config) { c.CAFile = ca },
		"ca_file: open /none":              func(c *kafkaexport.Config) { c.CAFile = "/none" },
		"ca_file: there is no certificate": func(c *kafkaexport.Config) { c.CAFile = key },
		"cert_file and key_file: open":     func(c *kafkaexport.Config) { c.CertFile, c.KeyFile = "/none", key },
	} {
		_, err := k.try(io.Discard, func(c *kafkaexport.Config) { c.TLS = true; set(c) })
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}

// lockedBuffer is what an export has logged.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *lockedBuffer) await(t *testing.T, says string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(b.String(), says); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %s:\n%s", says, b)
		}
	}
}
