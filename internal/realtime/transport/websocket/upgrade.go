package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/gobwas/ws"
)

// ErrStopping is why a Group takes nobody in.
var ErrStopping = errors.New("websocket: the listener is stopping")

// Check tells what is wrong with a request as the opening of a WebSocket connection, nil for nothing.
func Check(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return fmt.Errorf("a WebSocket connection is opened with GET, not %s", r.Method)
	case !hasToken(r.Header.Values("Connection"), "upgrade") || !hasToken(r.Header.Values("Upgrade"), "websocket"):
		return errors.New("WebSocket is spoken here: Connection: Upgrade and Upgrade: websocket are required")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return fmt.Errorf("version 13 of WebSocket is spoken here, not %q", r.Header.Get("Sec-WebSocket-Version"))
	}
	return nil
}

// Offers tells whether a request offers a subprotocol.
func Offers(r *http.Request, name string) bool {
	return hasToken(r.Header.Values("Sec-WebSocket-Protocol"), name)
}

// OffersAny tells whether a request offers subprotocols at all.
func OffersAny(r *http.Request) bool { return len(r.Header.Values("Sec-WebSocket-Protocol")) > 0 }

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// Request is a request that is about to become a connection. It belongs to the goroutine of its HTTP
// handler, which calls Upgrade or answers in another way. An HTTP server keeps several kilobytes of
// buffers, and the stack of its goroutine, for as long as the handler runs: the connection is to be
// served by another goroutine, and the handler to return.
type Request struct {
	// Conn is the connection. Before Upgrade it can be closed, and neither read nor written.
	Conn *Conn

	w http.ResponseWriter
	r *http.Request
}

// Request begins the opening of a connection.
func (g *Group) Request(w http.ResponseWriter, r *http.Request) *Request {
	return &Request{Conn: newConn(g), w: w, r: r}
}

// Answer returns what a request is answered with that was not upgraded; nil when that is too late.
func (q *Request) Answer() (http.ResponseWriter, *http.Request) { return q.w, q.r }

// Upgrade answers the request: from then on there is a WebSocket connection, which the caller
// finishes. protocol is the subprotocol that was agreed on, empty for none, and header what the answer
// has besides. After an error there is none, and nothing to finish; Answer tells whether the request
// is still to be answered, as it is when the connection or its group was closed before.
func (q *Request) Upgrade(protocol string, header http.Header) error {
	if why := q.Conn.usable(); why != nil {
		return why
	}
	g := q.Conn.group
	if !g.enter() {
		return ErrStopping
	}
	nc, ahead, err := q.hijack(protocol, header)
	q.w, q.r = nil, nil
	if err != nil {
		g.add(nil)
		return fmt.Errorf("upgrade: %w", err)
	}
	q.Conn.connect(nc, ahead)
	g.add(q.Conn)
	return nil
}

func (q *Request) hijack(protocol string, header http.Header) (nc net.Conn, ahead []byte, err error) {
	u := ws.HTTPUpgrader{Timeout: parting, Header: header}
	if protocol != "" {
		u.Protocol = func(name string) bool { return name == protocol }
	}
	nc, rw, _, err := u.Upgrade(q.r, q.w)
	if err == nil {
		ahead = make([]byte, rw.Reader.Buffered())
		_, err = io.ReadFull(rw.Reader, ahead)
	}
	if err != nil && nc != nil {
		_ = nc.Close() // the error is told instead
	}
	return nc, ahead, err
}
