package bench

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Mode is what the clients of a load do.
type Mode string

// The modes.
const (
	Fanout    Mode = "fanout"    // one member of each room sends, the others receive
	Rooms     Mode = "rooms"     // every member of each room sends
	Broadcast Mode = "broadcast" // a service broadcasts to every client
	Push      Mode = "push"      // a service pushes to single clients, or to batches of them
	Request   Mode = "request"   // every client asks its service, through the gateway
	Idle      Mode = "idle"      // the clients are connected, and that is all
)

// Transport is what the clients connect over.
type Transport string

// The transports.
const (
	GRPC      Transport = "grpc"
	WebSocket Transport = "websocket"
	QUIC      Transport = "quic"
)

// Protocol is what the clients speak, in protobuf.
type Protocol string

// The protocols.
const (
	IM      Protocol = "im"      // the im.v1 stream
	Gateway Protocol = "gateway" // ClientRequest and ServerPush
	// Upstream is what the gateway speaks with business services: requests to one of them, over gRPC,
	// without a gateway between.
	Upstream Protocol = "upstream"
)

// Plan says what a load is. The zero value of a field is not a default: see the fields.
type Plan struct {
	Mode      Mode
	Transport Transport
	Protocol  Protocol

	// Addr is the listener that clients connect to, and Gateway that of the GatewayService, which is
	// needed to push and broadcast: host:port.
	Addr, Gateway string
	// Others are the same listener of further nodes, which are one with the first: clients connect to all of
	// them in turn.
	Others []string
	// Token proves who clients and service are; empty where the node believes everybody. One for the
	// role service may act for the users that a load makes up.
	Token string
	// TLS is what clients connect with, and ServiceTLS what the service does; nil is plain text. QUIC
	// needs it.
	TLS, ServiceTLS *tls.Config

	// Connections is how many clients there are, the senders among them.
	Connections int
	// Shared is how many gRPC streams share a connection; 0 is one.
	Shared int
	// Rooms is how many rooms the clients are spread over. Modes without rooms ignore it, and so does
	// Idle with the gateway protocol.
	Rooms int
	// Size is that of a payload in bytes.
	Size int
	// Rate is how many messages, calls or requests are sent each second by all together; 0 is the next
	// one as soon as there is room for it.
	Rate float64
	// InFlight is how many messages or requests of one sender, or calls of the service, may be
	// unanswered.
	InFlight int
	// Window is how many messages or pushes a sender or the service may be ahead of the slowest client;
	// 0 is no bound in the mode rooms, and 256 in the others. It keeps a load that has no rate from measuring
	// how a node turns slow clients away.
	Window int
	// Batch is how many targets one call names, 1 for calls of PushToClient.
	Batch int
	// Envelopes lets receivers of im.v1 name the capability batch.
	Envelopes bool
	// Stored says that rooms must number their messages.
	Stored bool
	// Action is what requests ask for.
	Action string

	// WarmUp comes before Duration, which is what is measured.
	WarmUp, Duration time.Duration
	// Server reads what the node's process uses; nil where it cannot be known.
	Server Meter
}

const (
	// defaultWindow is of Plan.Window.
	defaultWindow = 256
	maxSize       = 1 << 20
	maxInFlight   = 1 << 20
	maxClients    = 1 << 20
)

// Check says what is wrong with the plan and what is allowed, nil if nothing is.
func (p *Plan) Check() error {
	for _, wrong := range []func() error{p.checkWords, p.checkProtocol, p.checkNumbers, p.checkRooms} {
		if err := wrong(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) checkWords() error {
	return firstError(
		oneOf("mode", p.Mode, Fanout, Rooms, Broadcast, Push, Request, Idle),
		oneOf("transport", p.Transport, GRPC, WebSocket, QUIC),
		oneOf("protocol", p.Protocol, IM, Gateway, Upstream),
	)
}

func (p *Plan) checkProtocol() error {
	switch {
	case p.Transport == QUIC && p.TLS == nil:
		return fmt.Errorf("quic needs TLS; say which authorities to trust, or to trust any certificate")
	case p.hasRooms() && p.Protocol != IM:
		return fmt.Errorf("the mode %s needs rooms, which the protocol %s has not; im is allowed", p.Mode, p.Protocol)
	case p.Mode == Request && p.Protocol == IM:
		return fmt.Errorf("the mode request needs the protocol gateway, or upstream")
	case p.Protocol == Upstream && (p.Mode != Request || p.Transport != GRPC):
		return fmt.Errorf("the protocol upstream is for the mode request over grpc; im and gateway are allowed here")
	}
	return nil
}

func (p *Plan) checkNumbers() error {
	return firstError(
		within("connections", p.Connections, 1, maxClients),
		within("streams on one connection", p.Shared, 0, maxClients),
		within("bytes of a payload", p.Size, MinSize, maxSize),
		within("messages in flight", p.InFlight, 1, maxInFlight),
		within("the window", p.Window, 0, maxInFlight),
		within("targets of a call", p.Batch, 1, min(maxClients, p.Connections)),
		within("messages per second", p.Rate, 0, 1e9),
		within("the warm-up", p.WarmUp, 0, 24*time.Hour),
		within("the duration", p.Duration, time.Millisecond, 24*time.Hour),
	)
}

func (p *Plan) checkRooms() error {
	if !p.hasRooms() {
		return nil
	}
	if err := within("rooms", p.Rooms, 1, maxClients); err != nil {
		return err
	}
	if p.Connections < 2*p.Rooms {
		return fmt.Errorf("%d connections are too few for %d rooms: each needs two at least, one that sends and one that receives", p.Connections, p.Rooms)
	}
	return nil
}

// hasRooms tells whether the mode is about rooms.
func (p *Plan) hasRooms() bool { return p.Mode == Fanout || p.Mode == Rooms }

// window is Window with its default.
func (p *Plan) window() int64 {
	if p.Window == 0 && p.Mode != Rooms {
		return defaultWindow
	}
	return int64(p.Window)
}

func oneOf[T ~string](what string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	return fmt.Errorf("there is no %s %q; allowed are %s", what, string(value), strings.Join(names, ", "))
}

func within[T int | float64 | time.Duration](what string, value, low, high T) error {
	if value >= low && value <= high {
		return nil
	}
	return fmt.Errorf("%s: %v is not possible; %v to %v is allowed", what, value, low, high)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
