package nodetest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
	"github.com/game-im/hermod/internal/server/servertest"
	"github.com/game-im/hermod/plugin"
)

// Clients is how clients of a transport connect.
type Clients struct {
	// Header tells that the transport has a place for what a client says before its first frame: what
	// its Conn.Open returns then has a Header.
	Header bool
	// Openings are the protocols and encodings that it carries. None: all.
	Openings []plugin.Opening
	// Dial connects a client that says what the opening has. Where the node turns it away, Dial or
	// the client's Recv returns the error, in whose text the node's reason is.
	Dial func(t *testing.T, o plugin.Opening) (Client, error)
}

// Client is a client's end of a connection. Send and Recv are called by one goroutine each at a time, the
// others beside them.
type Client interface {
	// Send writes one frame.
	Send(frame []byte) error
	// Recv returns the next frame. At the end its error is a Closed if the node has said why, and anything
	// else when the connection was lost.
	Recv() ([]byte, error)
	// Finish ends the session as a client does that means it: what makes Conn.Read return io.EOF.
	Finish() error
	// Cut ends the connection without a word, as a process does that is killed.
	Cut()
	// Vanish lets the client be gone without the node being told: nothing that it sends arrives any
	// more. Where the client has a net.Conn, Freezable does it.
	Vanish()
}

// Closed is the end of a connection that the node has told its client.
type Closed plugin.Disconnect

func (c Closed) Error() string { return fmt.Sprintf("closed with %d: %s", c.Code, c.Reason) }

// Freezable returns a client's connection that can fall silent. After freeze, nothing that is written to
// it leaves, nothing arrives, and its end is not told before the test is over.
func Freezable(t testing.TB, conn net.Conn) (under net.Conn, freeze func()) {
	l := transporttest.NewLink(t, conn)
	return l, l.Freeze
}

// Transport holds a transport against all that clients are promised on the node's own ones, in a real
// node: that they get in, are refused, get everything once and in order, resume their sessions, also over
// other transports and back, are told why they are closed; that those who do not read, send what is too
// large or no message at all do not harm others. p is linked into the node as it is, and listens on the
// loopback. Each rule is a subtest for each protocol and encoding.
func Transport(t *testing.T, p plugin.Plugin, c Clients) {
	t.Helper()
	if _, ok := p.(plugin.Transport); !ok {
		t.Fatalf("%T is no plugin.Transport", p)
	}
	n := NodeWith(t, "session: {stall_timeout: 5s}\nserver: {stop: {drain: 100ms}}", p, believer{})
	t.Run(p.Name(), func(t *testing.T) { servertest.Run(t, n.target(t, p.Name(), c)) })
	n.Stop()
	if logs := n.Logs(); strings.Contains(logs, "level=ERROR") || strings.Contains(logs, `"level":"ERROR"`) {
		t.Errorf("the node has logged errors:\n%s", logs)
	}
}

// target is the node as the suite sees it.
func (n *Running) target(t *testing.T, name string, c Clients) servertest.Node {
	t.Helper()
	services := n.Service()
	sessions := gatewayv1.NewSessionServiceClient(services)
	return servertest.Node{
		IM: n.IM, HTTP: n.HTTP, QUIC: n.QUIC, Services: services, Frame: 4 << 20,
		TLS: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // of a certificate that the node has made for itself
		Close: func(id string, why transport.Disconnect) error {
			ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
			defer cancel()
			_, err := sessions.CloseSession(ctx, &gatewayv1.CloseSessionRequest{SessionId: id, Code: why.Code, Reason: why.Reason})
			return err
		},
		Connected: func(id string) bool {
			ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
			defer cancel()
			s, err := sessions.GetSession(ctx, &gatewayv1.GetSessionRequest{SessionId: id})
			return err == nil && s.GetState() != "detached" || err != nil && status.Code(err) != codes.NotFound
		},
		Reasons: []transport.Disconnect{
			transport.Kicked, {Code: 3500, Reason: "come back"}, {Code: 4999, Reason: strings.Repeat("x", 100)},
		},
		Plugged: &servertest.Plugged{Name: name, Headers: c.Header, Kinds: c.kinds(), Dial: c.dial},
	}
}

func (c Clients) kinds() (kinds [][2]string) {
	openings := c.Openings
	if len(openings) == 0 {
		for _, p := range []plugin.Protocol{plugin.IM, plugin.Gateway} {
			openings = append(openings, plugin.Opening{Protocol: p, Encoding: plugin.Protobuf}, plugin.Opening{Protocol: p, Encoding: plugin.JSON})
		}
	}
	for _, o := range openings {
		kinds = append(kinds, [2]string{string(o.Protocol), string(o.Encoding)})
	}
	return kinds
}

func (c Clients) dial(t *testing.T, kind servertest.Case, header map[string]string) (transporttest.Peer, error) {
	o := plugin.Opening{Protocol: plugin.Protocol(kind.Protocol), Encoding: plugin.Encoding(kind.Format)}
	if c.Header {
		o.Header = header
	}
	x, err := c.Dial(t, o)
	if err != nil {
		return nil, err
	}
	return &end{x}, nil
}

// end is a Client as the suite sees it.
type end struct{ Client }

func (e *end) Send(frame string) error { return e.Client.Send([]byte(frame)) }

func (e *end) Recv() (string, error) {
	frame, err := e.Client.Recv()
	var closed Closed
	if errors.As(err, &closed) {
		return "", transport.Disconnect{Code: uint32(closed.Code), Reason: closed.Reason, Retry: closed.RetryAfter}
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return string(frame), err
}

// believer believes everybody but the user that is called refused.
type believer struct{}

func (believer) Name() string { return "believer" }

func (believer) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	if c.UserID == "refused" {
		return plugin.Identity{}, plugin.Unauthenticated("not you")
	}
	return plugin.Identity{UserID: c.UserID, DeviceID: c.DeviceID, Trusted: true}, nil
}
