package kafkaexport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/time/rate"
)

const (
	// dialTimeout is how long a broker may take to be reached.
	dialTimeout  = 3 * time.Second
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 2 * time.Second
)

// backoff is how long to wait after so many failures in a row.
func backoff(failures int) time.Duration {
	d := min(firstBackoff<<min(failures, 10), lastBackoff)
	return d/2 + rand.N(d/2)
}

// options are those of a client, of which a node has a fresh one when it begins anew. Batches are idempotent and
// acknowledged by all replicas that are in sync, as the client has it unless it is told otherwise. They are sent when the
// window says so, and again until there is an answer.
func (c *Config) options(log *slog.Logger) ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("hermod-kafka-export"), kgo.DefaultProduceTopic(c.Topic),
		kgo.WithLogger(&clientLog{log: log, told: rate.Sometimes{Interval: time.Second}}),
		kgo.DialTimeout(dialTimeout), kgo.RequestTimeoutOverhead(c.AckTimeout), kgo.ProduceRequestTimeout(c.AckTimeout),
		kgo.RetryBackoffFn(backoff), kgo.MetadataMinAge(lastBackoff / 4), kgo.DisableClientMetrics(),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(c.InFlight), kgo.ProducerBatchMaxBytes(int32(c.MaxMessageBytes)),
		kgo.ProducerBatchCompression(codecs[c.Compression], kgo.NoCompression()),
	}
	if c.SASL != "" {
		options = append(options, kgo.SASL(mechanisms[c.SASL](c.User, c.Password)))
	}
	if c.TLS {
		t, err := c.tls()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(t))
	}
	return options, nil
}

// tls reads the node's certificate whenever it is shown, so that it may be renewed.
func (c *Config) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca_file: there is no certificate in %s", c.CAFile)
		}
	}
	if c.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			return nil, fmt.Errorf("cert_file and key_file: %w", err)
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			return &pair, err
		}
	}
	return t, nil
}

// errNoTopic is what is wrong with a cluster that has no such topic, and should.
var errNoTopic = errors.New("there is no topic")

// ensure finds the topic, or makes it where that is wanted.
func (c *Config) ensure(ctx context.Context, client *kgo.Client) error {
	ask := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(c.Topic)
	ask.Topics = append(ask.Topics, topic) // which asking does not make
	got, err := ask.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if len(got.Topics) != 1 {
		return fmt.Errorf("topic %s: the broker answers with %d topics", c.Topic, len(got.Topics))
	}
	err = kerr.ErrorForCode(got.Topics[0].ErrorCode)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition) && c.CreateTopic:
		return c.create(ctx, client)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("%w %s; make it, or set create_topic", errNoTopic, c.Topic)
	case err != nil:
		return fmt.Errorf("topic %s: %w", c.Topic, err)
	}
	return nil
}

func (c *Config) create(ctx context.Context, client *kgo.Client) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = c.Topic, -1, -1 // the cluster's
	if c.Partitions > 0 {
		topic.NumPartitions = int32(c.Partitions)
	}
	if c.Replicas > 0 {
		topic.ReplicationFactor = int16(c.Replicas)
	}
	age := int64(-1) // for ever
	if c.MaxAge > 0 {
		age = c.MaxAge.Milliseconds()
	}
	for name, value := range map[string]int64{"retention.ms": age, "max.message.bytes": int64(c.MaxMessageBytes)} {
		setting := kmsg.NewCreateTopicsRequestTopicConfig()
		setting.Name, setting.Value = name, kmsg.StringPtr(strconv.FormatInt(value, 10))
		topic.Configs = append(topic.Configs, setting)
	}
	ask := kmsg.NewPtrCreateTopicsRequest()
	ask.Topics = append(ask.Topics, topic)
	ask.TimeoutMillis = int32(c.AckTimeout.Milliseconds())
	got, err := ask.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, t := range got.Topics {
		err = kerr.ErrorForCode(t.ErrorCode)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // another node was faster
			if t.ErrorMessage != nil {
				err = fmt.Errorf("%w %s", err, *t.ErrorMessage)
			}
			return fmt.Errorf("create_topic: topic %s: %w", c.Topic, err)
		}
	}
	return nil
}

// hopeless tells what somebody must put right from what may pass, such as a cluster that is away: a missing topic, a wrong
// password or certificate, something that a broker forbids.
func hopeless(err error) bool {
	var (
		answer      *kerr.Error
		certificate *tls.CertificateVerificationError
		refusal     *net.OpError
		plaintext   tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, errNoTopic):
		return true
	case errors.As(err, &answer):
		return !answer.Retriable
	case errors.As(err, &refusal) && refusal.Op == "remote error": // an alert of TLS
		return true
	}
	return errors.As(err, &certificate) || errors.As(err, &plaintext)
}

// clientLog has the client's warnings in the node's log, one a second at most.
type clientLog struct {
	log  *slog.Logger
	told rate.Sometimes
}

// Level implements kgo.Logger.
func (*clientLog) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (l *clientLog) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
	l.told.Do(func() { l.log.Warn(msg, keyvals...) })
}
