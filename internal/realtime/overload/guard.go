// Package overload bounds what a node takes on, so that too many clients get clear refusals and not a
// node that serves nobody. What one session may do is bounded by the session itself.
//
// Everything is safe for concurrent use, and nothing takes a lock of the node per frame: connections and
// queued bytes are counted by atomic adds, the latter for some thousands of bytes at a time; requests
// take the lock of one rate limiter, and none when they have no limit.
package overload

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// Limits are those of a node. Zero is no limit, of each.
type Limits struct {
	Connections int           // of clients, on all transports together
	PerAddress  int           // of these, from one IP address, or one /64 of IPv6
	Requests    int           // per second, of all sessions together
	Burst       int           // of requests at once
	QueueBytes  int64         // of frames queued and unacknowledged, in all sessions together
	RetryAfter  time.Duration // what refused clients are told to wait, on average; no limit
}

// Limit names one of them, in metrics and logs.
type Limit uint8

// The limits.
const (
	Connections Limit = iota
	PerAddress
	Sockets
	Requests
	QueueBytes
	limits
)

func (l Limit) String() string {
	return [limits]string{"connections", "connections_per_address", "sockets", "requests", "queue_bytes"}[l]
}

// Refusal says which limit of the node was reached, and when to try again.
type Refusal struct {
	Limit Limit
	Text  string        // for people
	Retry time.Duration // another one each time, so that clients spread; 0: nothing is advised
}

func (r *Refusal) Error() string { return r.Text }

// Guard holds a node to its Limits.
type Guard struct {
	limits    atomic.Pointer[Limits]
	open      atomic.Int64
	addresses addresses
	requests  atomic.Pointer[rate.Limiter] // nil: no limit
	queued    atomic.Int64
	episodes  [limits]episode
	refusals  *prometheus.CounterVec
	log       *slog.Logger
}

// NewGuard returns the guard of a node without clients.
func NewGuard(l Limits, log *slog.Logger) *Guard {
	g := &Guard{log: log, refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hermod_overload_refusals_total", Help: "What was refused since the node has reached a limit, by limit.",
	}, []string{"limit"})}
	for i := range limits {
		g.refusals.WithLabelValues(i.String()) // so that there is a 0 to rise from
	}
	g.SetLimits(l)
	return g
}

// SetLimits replaces the limits. Who is connected stays, also above a lower one.
func (g *Guard) SetLimits(l Limits) {
	if old := g.limits.Swap(&l); old != nil && old.Requests == l.Requests && old.Burst == l.Burst {
		return // what was saved up stays
	}
	var limiter *rate.Limiter
	if l.Requests > 0 {
		limiter = rate.NewLimiter(rate.Limit(l.Requests), max(l.Burst, 1))
	}
	g.requests.Store(limiter)
}

// Place is what a connection takes up until it leaves. The zero Place is of nobody.
type Place struct {
	guard *Guard
	from  address // valid: it counts towards the limit of one address
}

// Enter takes a connection in from an address, host:port, or refuses it.
func (g *Guard) Enter(remote string) (Place, *Refusal) {
	l := g.limits.Load()
	if n := g.open.Add(1); l.Connections > 0 && n > int64(l.Connections) {
		g.open.Add(-1)
		return Place{}, g.refuse(Connections, "the node has %d connections, as many as it takes; reconnect later", l.Connections)
	}
	p := Place{guard: g}
	if l.PerAddress > 0 {
		from, ok := addressOf(remote)
		if ok && !g.addresses.enter(from, l.PerAddress) {
			g.open.Add(-1)
			return Place{}, g.refuse(PerAddress, "the node has %d connections of this address, as many as it takes of one; reconnect later", l.PerAddress)
		}
		p.from = from
	}
	return p, nil
}

// Leave gives the place back. It is called once.
func (p Place) Leave() {
	if p.guard == nil {
		return
	}
	if p.from.IsValid() {
		p.guard.addresses.leave(p.from)
	}
	p.guard.open.Add(-1)
}

// spare is for sockets beyond the limit of connections: their clients can be told to wait. Others, which
// say nothing or fetch recordings, have room there too.
const spare = 256

// Socket tells whether a listener that has so many sockets may have them. The answer to one that is too
// many is to close it: there is no telling what its client speaks, and files are to spare for nobody.
func (g *Guard) Socket(open int64) bool {
	most := int64(g.limits.Load().Connections)
	if most == 0 || open <= most+most/8+spare {
		return true
	}
	g.count(Sockets)
	return false
}

// Request takes a request of a session into account: one that opens it, or one that makes the node work.
// Heartbeats and acknowledgments are none.
func (g *Guard) Request() *Refusal {
	if limiter := g.requests.Load(); limiter == nil || limiter.Allow() {
		return nil
	}
	return g.refuse(Requests, "the node gets more than %d requests per second; try again later", g.limits.Load().Requests)
}

func (g *Guard) refuse(l Limit, format string, args ...any) *Refusal {
	g.count(l)
	return &Refusal{Limit: l, Text: fmt.Sprintf(format, args...), Retry: g.Retry()}
}

func (g *Guard) count(l Limit) {
	g.refusals.WithLabelValues(l.String()).Inc()
	g.episodes[l].refused(l, g.log)
}

// Retry is what a client is told to wait that is refused now.
func (g *Guard) Retry() time.Duration { return transport.Spread(g.limits.Load().RetryAfter) }

// Collectors returns the instruments for registration.
func (g *Guard) Collectors() []prometheus.Collector {
	return []prometheus.Collector{g.refusals, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hermod_overload_connections", Help: "Connections of clients that count towards overload.max_connections: gRPC streams, WebSocket and QUIC connections.",
	}, func() float64 { return float64(g.open.Load()) })}
}
