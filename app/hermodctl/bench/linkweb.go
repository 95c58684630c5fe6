package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// webReadBuffer of a client: it is the node that is measured, and a client may spend memory.
const webReadBuffer = 16 << 10

// webDialer opens WebSocket connections.
type webDialer struct {
	addr     string
	tls      *tls.Config
	protocol Protocol
}

func (d *webDialer) dial(ctx context.Context, who identity) (link, error) {
	at := url.URL{Scheme: "ws", Host: d.addr, Path: "/ws"}
	if d.tls != nil {
		at.Scheme = "wss"
	}
	subprotocol := "gateway.v1.proto"
	if d.protocol == IM {
		at.Path, subprotocol = "/im", "im.v1.proto"
		at.RawQuery = url.Values{
			"user-id": {who.user}, "room-id": {who.room}, "device-id": {"bench"}, "capabilities": {who.capabilities},
		}.Encode()
	}
	dialer := ws.Dialer{Protocols: []string{subprotocol}, Timeout: openLimit, TLSConfig: d.tls}
	if who.token != "" {
		dialer.Header = ws.HandshakeHeaderHTTP(http.Header{"Authorization": {"Bearer " + who.token}})
	}
	conn, early, _, err := dialer.Dial(ctx, at.String())
	if err != nil {
		return nil, err
	}
	in := early
	if in == nil {
		in = bufio.NewReaderSize(conn, webReadBuffer)
	}
	return &webLink{conn: conn, in: in}, nil
}

func (d *webDialer) close() error { return nil }

// webLink is a WebSocket connection.
type webLink struct {
	conn    net.Conn
	in      *bufio.Reader
	message []byte
	sending sync.Mutex
}

func (l *webLink) send(frame []byte) error {
	return l.write(ws.NewBinaryFrame(frame))
}

func (l *webLink) write(f ws.Frame) error {
	b, err := ws.CompileFrame(ws.MaskFrame(f))
	if err != nil {
		return err
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return err
	}
	_, err = l.conn.Write(b)
	return err
}

// receive answers pings on the way.
func (l *webLink) receive(take taker) error {
	for {
		h, err := ws.ReadHeader(l.in)
		if err != nil {
			return err
		}
		if h.Length > maxFrame {
			return fmt.Errorf("a message of %d bytes came, at most %d are taken", h.Length, maxFrame)
		}
		if int64(cap(l.message)) < h.Length {
			l.message = make([]byte, h.Length)
		}
		l.message = l.message[:h.Length]
		if _, err := io.ReadFull(l.in, l.message); err != nil {
			return err
		}
		switch h.OpCode {
		case ws.OpBinary:
			return take(l.message)
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(l.message)
			return &closedError{code: int(code), reason: reason}
		case ws.OpPing:
			if err := l.write(ws.NewPongFrame(l.message)); err != nil {
				return err
			}
		}
	}
}

func (l *webLink) close() { _ = l.conn.Close() } // the reader sees it
