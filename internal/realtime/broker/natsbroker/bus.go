// Package natsbroker carries what nodes send each other over core NATS: no JetStream, since the store is
// the truth and the broker only a hint.
//
// A channel is a subject, and every channel that is followed one subscription of the node's connection; all
// of them share one Go channel and one goroutine. What the client library buffers is bounded by that
// channel; when it is full, NATS drops, and the broker is told. The connection's goroutines are nats.go's
// and end with Run.
package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// arrived bounds the messages that nats.go has received and nobody has taken.
const arrived = 8192

// replies begins subjects that only tell that nobody has taken a request.
const replies = "_HERMOD.R."

// Bus is a node's connection to NATS. It implements cluster.Bus.
type Bus struct {
	opt   Options
	nats  []nats.Option
	come  chan *nats.Msg
	reply string // the beginning of this connection's own reply subjects

	mu      sync.Mutex
	conn    *nats.Conn                    // nil before Run
	follows map[string]*nats.Subscription // nil before Run
	up      bool
}

// New returns a bus, or what is wrong with the options. Nothing is connected before Run.
func New(opt Options) (*Bus, error) {
	if opt.Name == "" {
		opt.Name = "hermod"
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if err := opt.validate(); err != nil {
		return nil, err
	}
	options, err := opt.connect()
	if err != nil {
		return nil, err
	}
	return &Bus{
		opt: opt, nats: options, come: make(chan *nats.Msg, arrived),
		reply: replies + strings.TrimPrefix(nats.NewInbox(), nats.InboxPrefix) + ".",
	}, nil
}

// Run implements cluster.Bus.
func (b *Bus) Run(ctx context.Context, sink cluster.Sink) error {
	closed := make(chan struct{})
	options := slices.Concat(b.nats, []nats.Option{
		nats.ConnectHandler(func(conn *nats.Conn) { b.connected(ctx, conn, sink) }),
		nats.ReconnectHandler(func(conn *nats.Conn) { b.connected(ctx, conn, sink) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { b.disconnected(sink, err) }),
		nats.ErrorHandler(b.complaint),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
	})
	conn, err := nats.Connect(strings.Join(b.opt.URLs, ","), options...)
	if err != nil {
		return fmt.Errorf("natsbroker: %w", err)
	}
	if err := b.begin(conn); err != nil {
		conn.Close()
		<-closed
		return fmt.Errorf("natsbroker: %w", err)
	}
	b.receive(ctx, sink)
	_ = b.flush(context.WithoutCancel(ctx), conn) // what was sent at last; without a server it is lost
	conn.Close()
	<-closed
	return nil
}

// begin subscribes to what was to be followed before there was a connection.
func (b *Bus) begin(conn *nats.Conn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = conn
	if b.follows == nil {
		b.follows = make(map[string]*nats.Subscription)
	}
	b.follows[b.reply+"*"] = nil
	for subject, sub := range b.follows {
		if sub != nil {
			continue
		}
		sub, err := conn.ChanSubscribe(subject, b.come)
		if err != nil {
			return err
		}
		b.follows[subject] = sub
	}
	return nil
}

// connected is called by nats.go when it has connected and subscribed again.
func (b *Bus) connected(ctx context.Context, conn *nats.Conn, sink cluster.Sink) {
	for !b.begun() { // it may be faster than Connect's caller
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
	for b.flush(ctx, conn) != nil { // many subscriptions take a slow server long
		if !conn.IsConnected() || ctx.Err() != nil {
			return // it is lost again, which comes here again
		}
	}
	if conn.IsConnected() && b.change(true) {
		sink.Connected()
	}
}

// change notes whether the bus is connected, and tells whether that is news. nats.go calls one handler
// after another.
func (b *Bus) change(up bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.up
	b.up = up
	return was != up
}

func (b *Bus) begun() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn != nil
}

func (b *Bus) disconnected(sink cluster.Sink, err error) {
	if err == nil {
		err = errors.New("the connection was closed")
	}
	if b.change(false) {
		sink.Disconnected(err)
	}
}

// complaint takes what goes wrong besides. That something was dropped is found in another way.
func (b *Bus) complaint(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		return
	}
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	b.opt.Log.Warn("the NATS server refuses something", "subject", subject, "error", err)
}

// receive hands over what comes until ctx ends. When the channel was full, nats.go may have dropped
// something; that it was is seen here, since nobody else takes from it.
func (b *Bus) receive(ctx context.Context, sink cluster.Sink) {
	full := false
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-b.come:
			full = full || len(b.come) >= arrived-1
			if id, ok := strings.CutPrefix(m.Subject, b.reply); ok {
				b.reached(sink, id, m)
			} else {
				sink.Receive(m.Subject, m.Data)
			}
			if full && len(b.come) == 0 {
				full = false
				sink.Dropped(1)
			}
		}
	}
}

// reached takes what the server says to a request that nobody has taken.
func (b *Bus) reached(sink cluster.Sink, id string, m *nats.Msg) {
	ask, err := strconv.ParseUint(id, 10, 64)
	if err == nil && m.Header.Get("Status") == "503" {
		sink.Reached(ask, 0)
	}
}

// Follow implements cluster.Bus.
func (b *Bus) Follow(ctx context.Context, subjects []string) error {
	conn, err := b.subscribe(subjects)
	if err != nil {
		return err
	}
	for {
		err := b.flush(ctx, conn)
		if err == nil || !conn.IsConnected() || ctx.Err() != nil {
			return err
		}
		// It is slow. When it is too slow, the connection counts as lost.
	}
}

func (b *Bus) subscribe(subjects []string) (*nats.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.follows == nil {
		b.follows = make(map[string]*nats.Subscription)
	}
	var failed error
	for _, subject := range subjects {
		if b.follows[subject] != nil {
			continue
		}
		var sub *nats.Subscription
		if b.conn != nil {
			var err error
			if sub, err = b.conn.ChanSubscribe(subject, b.come); err != nil {
				failed = err
			}
		}
		b.follows[subject] = sub
	}
	if failed == nil && !b.up {
		failed = broker.ErrDown
	}
	return b.conn, failed
}

// Leave implements cluster.Bus.
func (b *Bus) Leave(subjects []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, subject := range subjects {
		if sub := b.follows[subject]; sub != nil {
			_ = sub.Unsubscribe() // fails for a connection that is closed
		}
		delete(b.follows, subject)
	}
}

// Send implements cluster.Bus.
func (b *Bus) Send(_ context.Context, batch []cluster.Message) error {
	b.mu.Lock()
	conn, up := b.conn, b.up
	b.mu.Unlock()
	if !up {
		return broker.ErrDown
	}
	for i := range batch {
		m := nats.Msg{Subject: batch[i].Subject, Data: batch[i].Data}
		if batch[i].Ask != 0 {
			m.Reply = b.reply + strconv.FormatUint(batch[i].Ask, 10)
		}
		if err := conn.PublishMsg(&m); err != nil {
			return err
		}
	}
	return nil
}

// flush returns when the server has taken what was sent.
func (b *Bus) flush(ctx context.Context, conn *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, flushWait)
	defer cancel()
	return conn.FlushWithContext(ctx)
}

// MaxBytes implements cluster.Bus: as the server said last.
func (b *Bus) MaxBytes() int {
	b.mu.Lock()
	conn := b.conn
	b.mu.Unlock()
	if conn == nil {
		return 0
	}
	return int(conn.MaxPayload())
}
