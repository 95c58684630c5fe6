package servertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// paths are where the protocols are spoken, and what their subprotocols begin with.
var paths = map[string][2]string{"im": {"/im", "im.v1."}, "gateway": {"/ws", "gateway.v1."}}

// webLink is a WebSocket connection.
type webLink struct {
	ctx  context.Context
	conn *websocket.Conn
	kind websocket.MessageType
	net  *transporttest.Link
}

func dialWebSocket(t *testing.T, n Node, c Case, headers map[string]string) (link, error) {
	t.Helper()
	var under *transporttest.Link
	scheme := "ws://"
	if n.Secured {
		scheme = "wss://"
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: n.TLS, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.HTTP)
		if err != nil {
			return nil, err
		}
		under = transporttest.NewLink(t, nc)
		return under, nil
	}}}
	h := http.Header{}
	for k, v := range headers {
		h.Set(k, v)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	t.Cleanup(cancel)
	conn, resp, err := websocket.Dial(ctx, scheme+n.HTTP+paths[c.Protocol][0], &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: h, Subprotocols: []string{paths[c.Protocol][1] + c.Format},
	})
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("answered with %d: %w", resp.StatusCode, err)
			_ = resp.Body.Close() // read already
		}
		return nil, err
	}
	conn.SetReadLimit(64 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() }) // may be closed already
	kind := websocket.MessageBinary
	if c.Format == "json" {
		kind = websocket.MessageText
	}
	return &webLink{ctx: ctx, conn: conn, kind: kind, net: under}, nil
}

func (l *webLink) Send(frame string) error { return l.conn.Write(l.ctx, l.kind, []byte(frame)) }

func (l *webLink) Recv() (string, error) {
	kind, data, err := l.conn.Read(l.ctx)
	switch told, ok := errors.AsType[websocket.CloseError](err); {
	case ok && told.Code == websocket.StatusNormalClosure:
		return "", io.EOF
	case ok:
		return "", transport.ReadWords(uint32(told.Code), told.Reason)
	case err == nil && kind != l.kind:
		return "", fmt.Errorf("a %v message", kind)
	}
	return string(data), err
}

func (l *webLink) Finish() error { return l.conn.Close(websocket.StatusNormalClosure, "") }

func (l *webLink) Cut() { _ = l.conn.CloseNow() } // may be closed already

func (l *webLink) Vanish() { l.net.Freeze() }
