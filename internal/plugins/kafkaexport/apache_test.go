package kafkaexport_test

import (
	"bytes"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/plugins/kafkaexport"
	"github.com/game-im/hermod/test/registries"
)

// Apache Kafka does what the cluster in the other tests does. It is one broker, which is killed again and again in the end.
func TestApacheKafka(t *testing.T) {
	t.Parallel()
	server := registries.StartKafka(t)
	on := func(t *testing.T, topic string) *kafka { return &kafka{t: t, addr: server.Addr, topic: topic} }
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) { roundTrip(t, on(t, "codec-"+codec), codec) })
	}
	t.Run("order", func(t *testing.T) {
		const rooms, each = 40, 50
		k := on(t, "order")
		e := k.started(func(c *kafkaexport.Config) { c.Partitions = 8 })
		talk(t, e, rooms, each, func() {})
		complete(t, k, e, rooms, each)
	})
	t.Run("topics", func(t *testing.T) { topics(t, on(t, "topics")) })
	t.Run("refused", func(t *testing.T) { neverTaken(t, on(t, "refused")) })
	t.Run("deleted", func(t *testing.T) { deleted(t, on(t, "deleted")) })
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		t.Run(mechanism, func(t *testing.T) {
			known := &kafka{t: t, addr: registries.KafkaKnown(server), topic: mechanism}
			identity(t, known, on(t, mechanism), mechanism)
		})
	}
	t.Run("kills", func(t *testing.T) { kills(t, on(t, "kills"), server) })
}

func roundTrip(t *testing.T, k *kafka, codec string) {
	e := k.started(func(c *kafkaexport.Config) { c.Compression = codec })
	m := said(1)
	m.Content = bytes.Repeat([]byte("hi"), 1000)
	observe(t, e, m)
	v := k.read(1)[0]
	if v.ID != m.ID || v.RoomID != m.RoomID || v.Text != string(m.Content) || string(v.record.Key) != m.RoomID || v.header("id") != m.ID || v.record.ProducerID < 0 {
		t.Errorf("the topic has %+v in %+v", v, v.record)
	}
}

// complete stops the export and holds what is in the topic against what was said.
func complete(t *testing.T, k *kafka, e *exporting, rooms, each int) {
	t.Helper()
	if err := e.stop(t.Context()); err != nil {
		t.Error(err)
	}
	inOrder(t, k.read(rooms*each), rooms, each)
	if n := k.stored(); n != int64(rooms*each) {
		t.Errorf("%d events are stored; want %d", n, rooms*each)
	}
}

func topics(t *testing.T, k *kafka) {
	if _, err := k.try(io.Discard, func(*kafkaexport.Config) {}); err == nil || !strings.Contains(err.Error(), "there is no topic topics; make it") {
		t.Errorf("without a topic: %v", err)
	}
	_, err := k.try(io.Discard, func(c *kafkaexport.Config) { c.CreateTopic, c.Replicas = true, 2 })
	if err == nil || !strings.Contains(err.Error(), "create_topic: topic topics: INVALID_REPLICATION_FACTOR") {
		t.Errorf("with more replicas than brokers: %v", err)
	}
}

func neverTaken(t *testing.T, k *kafka) {
	k.makeTopic(1, map[string]string{"max.message.bytes": "2000"})
	e, err := k.try(io.Discard, func(c *kafkaexport.Config) { c.MaxMessageBytes, c.Compression = 60_000, "none" })
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for seq := 1; seq <= 60; seq++ {
		m := said(seq)
		if seq%20 == 3 {
			m.Content = bytes.Repeat([]byte("x"), 4000)
		} else {
			want = append(want, m.ID)
		}
		observe(t, e, m)
	}
	if err := e.stop(t.Context()); err != nil {
		t.Error(err)
	}
	same(t, k.ids(len(want)), want)
}

func deleted(t *testing.T, k *kafka) {
	e := k.started(nil)
	observe(t, e, said(1))
	same(t, k.ids(1), []string{"hall 1"})
	k.deleteTopic()
	observe(t, e, said(2))
	same(t, k.ids(1), []string{"hall 2"})
}

func identity(t *testing.T, known, open *kafka, mechanism string) {
	set := func(password string) func(*kafkaexport.Config) {
		return func(c *kafkaexport.Config) {
			c.SASL, c.User, c.Password, c.CreateTopic = mechanism, registries.KafkaUser, password, true
		}
	}
	if _, err := known.try(io.Discard, set("wrong")); err == nil || !strings.Contains(err.Error(), "SASL_AUTHENTICATION_FAILED") {
		t.Errorf("with a wrong password: %v", err)
	}
	observe(t, known.started(set(registries.KafkaPassword)), said(1))
	same(t, open.ids(1), []string{"hall 1"})
}

// The broker is killed while events are on their way, three times. None is lost, none is stored twice, and rooms keep their
// order.
func kills(t *testing.T, k *kafka, server *registries.Server) {
	const rooms, each, times = 8, 500, 3
	e := k.started(func(c *kafkaexport.Config) { c.InFlight, c.AckTimeout = 64, 2*time.Second })
	var taken atomic.Int64
	kill, said := make(chan struct{}, times), make(chan struct{})
	go func() {
		defer close(said)
		talk(t, e, rooms, each, func() {
			if n := taken.Add(1); n%(rooms*each/(times+1)) == 0 && n < rooms*each {
				kill <- struct{}{}
			}
		})
	}()
	for range times {
		select {
		case <-kill:
		case <-said:
			t.Fatal("not all was said")
		}
		server.Kill()
		server.Start()
	}
	<-said
	complete(t, k, e, rooms, each)
}
