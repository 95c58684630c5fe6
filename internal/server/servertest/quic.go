package servertest

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// alpn is how clients name the protocols.
var alpn = map[string]string{"im": "im.v1", "gateway": "gatesvr"}

// quicLink is the stream of a QUIC connection.
type quicLink struct {
	conn   *quic.Conn
	stream *quic.Stream
	udp    *silent
}

// silent is a socket that can fall silent.
type silent struct {
	net.PacketConn
	once sync.Once
	off  chan struct{}
}

// WriteTo implements net.PacketConn.
func (s *silent) WriteTo(p []byte, addr net.Addr) (int, error) {
	select {
	case <-s.off:
		return len(p), nil
	default:
		return s.PacketConn.WriteTo(p, addr)
	}
}

func dialQUIC(t *testing.T, addr, protocol string, secured *tls.Config) (link, error) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	udp, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	under := &silent{PacketConn: udp, off: make(chan struct{})}
	tr := &quic.Transport{Conn: under}
	t.Cleanup(func() { _, _ = tr.Close(), udp.Close() }) // of a test that is over
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	secured = secured.Clone()
	secured.NextProtos = []string{alpn[protocol]}
	conn, err := tr.Dial(ctx, to, secured, nil)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") }) // it may be closed
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, why(err)
	}
	return &quicLink{conn: conn, stream: stream, udp: under}, nil
}

func (l *quicLink) Send(frame string) error {
	_, err := l.stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return why(err)
}

func (l *quicLink) Recv() (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(l.stream, head[:]); err != nil {
		return "", why(err)
	}
	data := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(l.stream, data)
	return string(data), why(err)
}

// why makes what the node said of an error.
func why(err error) error {
	if closed, ok := errors.AsType[*quic.ApplicationError](err); ok && closed.Remote {
		return transport.ReadWords(uint32(closed.ErrorCode), closed.ErrorMessage)
	}
	return err
}

func (l *quicLink) Finish() error { return l.stream.Close() }

// Cut closes the connection as a process's end does where its library still can: with code 0.
func (l *quicLink) Cut() { _ = l.conn.CloseWithError(0, "") }

func (l *quicLink) Vanish() { l.udp.once.Do(func() { close(l.udp.off) }) }
