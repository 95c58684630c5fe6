package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// stream is a peer's connection, of either transport: encoded requests go out, and what comes in is
// given to a consumer.
type stream interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

// webStream is an im.v1 stream over WebSocket, in protobuf.
type webStream struct {
	conn    net.Conn
	in      *bufio.Reader
	sending sync.Mutex
	message []byte
}

const (
	webReadBuffer = 16 << 10
	webPath       = "/im"
	webProtocol   = "im.v1.proto"
)

// dialWeb opens a stream that ends with ctx.
func dialWeb(ctx context.Context, addr string, p *peer) (*webStream, error) {
	query := url.Values{"user-id": {p.user}, "room-id": {p.room}, "device-id": {"bench"}, "capabilities": {p.capabilities}}
	dialer := ws.Dialer{Protocols: []string{webProtocol}, Timeout: openLimit}
	conn, early, _, err := dialer.Dial(ctx, "ws://"+addr+webPath+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // the reader sees it
	in := early
	if in == nil {
		in = bufio.NewReaderSize(conn, webReadBuffer)
	}
	return &webStream{conn: conn, in: in}, nil
}

// SendMsg writes an encoded request as one message.
func (s *webStream) SendMsg(m any) error {
	body, ok := m.([]byte)
	if !ok {
		return fmt.Errorf("cannot send %T", m)
	}
	s.sending.Lock()
	defer s.sending.Unlock()
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewBinaryFrame(body)))
	if err != nil {
		return err
	}
	_, err = s.conn.Write(frame)
	return err
}

// RecvMsg reads one message, answering pings on the way.
func (s *webStream) RecvMsg(m any) error {
	for {
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			return err
		}
		if int64(cap(s.message)) < h.Length {
			s.message = make([]byte, h.Length)
		}
		s.message = s.message[:h.Length]
		if _, err := io.ReadFull(s.in, s.message); err != nil {
			return err
		}
		switch h.OpCode {
		case ws.OpBinary:
			return decode(s.message, m)
		case ws.OpClose:
			status, reason := ws.ParseCloseFrameData(s.message)
			return fmt.Errorf("closed with %d: %s", status, reason)
		case ws.OpPing:
			if err := s.pong(s.message); err != nil {
				return err
			}
		}
	}
}

func (s *webStream) pong(payload []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(openLimit)); err != nil {
		return err
	}
	return ws.WriteFrame(s.conn, ws.MaskFrame(ws.NewPongFrame(payload)))
}
