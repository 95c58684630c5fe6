// Package natsexport is a plugin that publishes what is said in rooms, and who joins and leaves, to a stream of
// NATS JetStream. It knows of the node what any plugin knows.
//
// What it is told of waits in a window until the stream has acknowledged it, and is published again, under the same
// Nats-Msg-Id, until then. One goroutine owns the connection and the window.
package natsexport

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/game-im/hermod/internal/plugins/exportevent"
	"github.com/game-im/hermod/plugin"
)

// Export is the plugin. Its methods may be called by many goroutines at once.
type Export struct {
	config Config
	log    *slog.Logger
	conn   *nats.Conn
	window *window
	ended  sync.WaitGroup
}

// The capabilities.
var (
	_ plugin.Configurable    = (*Export)(nil)
	_ plugin.Validator       = (*Export)(nil)
	_ plugin.Starter         = (*Export)(nil)
	_ plugin.Stopper         = (*Export)(nil)
	_ plugin.MessageObserver = (*Export)(nil)
	_ plugin.RoomObserver    = (*Export)(nil)
)

// New returns an export with the defaults.
func New() *Export { return &Export{config: defaults()} }

// Name implements plugin.Plugin.
func (*Export) Name() string { return "nats-export" }

// Renew implements plugin.Renewable.
func (*Export) Renew() plugin.Plugin { return New() }

// Config implements plugin.Configurable.
func (e *Export) Config() any { return &e.config }

// Validate implements plugin.Validator.
func (e *Export) Validate() error { return e.config.check() }

// Start implements plugin.Starter. NATS may be away; what is wrong with the stream of a server that is there keeps the
// node from starting.
func (e *Export) Start(ctx context.Context) error {
	e.log = plugin.Logger(ctx)
	options, err := e.options()
	if err != nil {
		return err
	}
	if e.conn, err = nats.Connect(e.config.servers(), options...); err != nil {
		return fmt.Errorf("connect to %s: %w", e.config.servers(), err)
	}
	js, err := jetstream.New(e.conn, jetstream.WithPublishAsyncTimeout(e.config.AckTimeout),
		jetstream.WithPublishAsyncMaxPending(4*e.config.InFlight)) // with those that were given up and may still be acknowledged
	if err == nil && e.conn.IsConnected() {
		err = e.config.ensure(ctx, js)
	}
	if err != nil {
		e.conn.Close()
		return err
	}
	ensured := e.conn.IsConnected()
	if !ensured {
		e.log.Warn("NATS is away; the export begins when it is there", "urls", e.config.URLs)
	}
	e.window = newWindow(js, &e.config, e.log, ensured)
	e.ended.Go(e.window.run)
	return nil
}

// stopWait leaves some of the time that a plugin has for its end.
const stopWait = 4 * time.Second

// Stop implements plugin.Stopper. It waits until what it was told of is in the stream, for four seconds at most.
func (e *Export) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	left := e.window.close(ctx)
	e.ended.Wait()
	e.conn.Close()
	if left > 0 {
		return fmt.Errorf("%d events are not in the stream %s", left, e.config.Stream)
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

func (e *Export) publish(ctx context.Context, v exportevent.Event) error {
	data, err := v.Encode()
	if err != nil {
		return err
	}
	msg := nats.NewMsg(e.config.subject(v.RoomID, v.Kind))
	msg.Data = data
	msg.Header.Set(nats.MsgIdHdr, v.UniqueID())
	msg.Header.Set("Content-Type", exportevent.ContentType)
	return e.window.add(ctx, msg)
}
