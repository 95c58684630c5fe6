// Package kafkaexport is a plugin that publishes what is said in rooms, and who joins and leaves, to a topic of Kafka. It
// knows of the node what any plugin knows.
//
// What it is told of waits in a window until Kafka has acknowledged it. One goroutine owns the client and sends batch after
// batch: all that waits, or as much as one batch may hold.
package kafkaexport

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/game-im/hermod/internal/plugins/exportevent"
	"github.com/game-im/hermod/plugin"
)

// Export is the plugin. Its methods may be called by many goroutines at once.
type Export struct {
	config Config
	window *window
}

// The capabilities.
var (
	_ plugin.Configurable    = (*Export)(nil)
	_ plugin.Validator       = (*Export)(nil)
	_ plugin.Starter         = (*Export)(nil)
	_ plugin.Stopper         = (*Export)(nil)
	_ plugin.Renewable       = (*Export)(nil)
	_ plugin.MessageObserver = (*Export)(nil)
	_ plugin.RoomObserver    = (*Export)(nil)
)

// New returns an export with the defaults.
func New() *Export { return &Export{config: defaults()} }

// Name implements plugin.Plugin.
func (*Export) Name() string { return "kafka-export" }

// Renew implements plugin.Renewable.
func (*Export) Renew() plugin.Plugin { return New() }

// Config implements plugin.Configurable.
func (e *Export) Config() any { return &e.config }

// Validate implements plugin.Validator.
func (e *Export) Validate() error { return e.config.check() }

// Start implements plugin.Starter. Kafka may be away; what a cluster that is there refuses, or lacks, keeps the node from
// starting.
func (e *Export) Start(ctx context.Context) error {
	log := plugin.Logger(ctx)
	options, err := e.config.options(log)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	err = e.config.reach(ctx, client)
	if hopeless(err) {
		client.Close()
		return err
	}
	if err != nil {
		log.Warn("Kafka is away; the export begins when it is there", "brokers", e.config.Brokers, "error", err)
	}
	e.window = newWindow(&e.config, log, options, client, err == nil)
	go e.window.run()
	return nil
}

// reach finds the topic if a broker is there.
func (c *Config) reach(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+c.AckTimeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil { // which tries each broker once
		return err
	}
	return c.ensure(ctx, client)
}

// stopWait leaves some of the time that a plugin has for its end.
const stopWait = 4 * time.Second

// Stop implements plugin.Stopper. It waits until what it was told of is in the topic, for four seconds at most.
func (e *Export) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	if left := e.window.close(ctx); left > 0 {
		return fmt.Errorf("%d events are lost: Kafka has not acknowledged them for the topic %s", left, e.config.Topic)
	}
	return nil
}

// ObserveMessage implements plugin.MessageObserver. It waits for room in the window until ctx is done.
func (e *Export) ObserveMessage(ctx context.Context, m plugin.Message) error {
	return e.publish(ctx, exportevent.OfMessage(m))
}

// ObserveRoom implements plugin.RoomObserver, as ObserveMessage.
func (e *Export) ObserveRoom(ctx context.Context, r plugin.RoomEvent) error {
	v, known := exportevent.OfRoomEvent(r)
	if !known {
		return nil
	}
	return e.publish(ctx, v)
}

// publish gives the event the room as its key, so that all of a room is in one partition.
func (e *Export) publish(ctx context.Context, v exportevent.Event) error {
	data, err := v.Encode()
	if err != nil {
		return err
	}
	return e.window.add(ctx, &kgo.Record{
		Key: []byte(v.RoomID), Value: data, Timestamp: v.Time,
		Headers: []kgo.RecordHeader{
			{Key: headerID, Value: []byte(v.UniqueID())},
			{Key: "kind", Value: []byte(v.Kind)},
			{Key: "content-type", Value: []byte(exportevent.ContentType)},
		},
	})
}

// headerID is the header of what repetitions of an event have in common.
const headerID = "id"
