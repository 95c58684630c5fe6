package quicstream_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/quicstream"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
	"github.com/game-im/hermod/test/authority"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	maxFrame = 100_000
	proto    = "test"
)

// silence is short here, so that a vanished client is noticed soon.
const silence = 2 * time.Second

// server serves connections with a handler until the test ends.
type server struct {
	t    testing.TB
	addr net.Addr
	ca   *authority.Authority
}

func serve(t *testing.T, handle transporttest.Handler) *server {
	t.Helper()
	ca := authority.New(t)
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	config := quicstream.Config()
	config.MaxIdleTimeout, config.KeepAlivePeriod = silence, silence/4
	tr := &quic.Transport{Conn: udp}
	lis, err := tr.Listen(&tls.Config{Certificates: []tls.Certificate{ca.Pair(authority.Leaf{})}, NextProtos: []string{proto}}, config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := lis.Accept(ctx)
			if err != nil {
				return
			}
			running.Go(func() { serveConn(ctx, conn, handle) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = lis.Close() // of connections that are closed
		running.Wait()
		_ = tr.Close()
		_ = udp.Close()
	})
	return &server{t: t, addr: udp.LocalAddr(), ca: ca}
}

func serveConn(ctx context.Context, conn *quic.Conn, handle transporttest.Handler) {
	defer context.AfterFunc(ctx, func() { _ = conn.CloseWithError(0, "the test ends") })()
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return
	}
	c := quicstream.New(conn, stream, transporttest.Text, maxFrame)
	why := transport.Ended
	if err := handle(c); err != nil {
		why = transport.BadRequest.Because("%v", err)
	}
	c.Finish(why)
}

// peer is a client that writes single bytes.
type peer struct {
	conn   *quic.Conn
	stream *quic.Stream
	link   *silent
	begun  bool // the first byte was followed by others
}

// silent is a client's socket that can fall silent.
type silent struct {
	net.PacketConn
	once sync.Once
	off  chan struct{}
}

func (s *silent) WriteTo(p []byte, addr net.Addr) (int, error) {
	select {
	case <-s.off:
		return len(p), nil
	default:
		return s.PacketConn.WriteTo(p, addr)
	}
}

func (s *server) dial(t *testing.T) *peer {
	t.Helper()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	link := &silent{PacketConn: udp, off: make(chan struct{})}
	tr := &quic.Transport{Conn: link}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := tr.Dial(ctx, s.addr, &tls.Config{RootCAs: s.ca.Pool(), NextProtos: []string{proto}, ServerName: "localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// A server hears of a stream with its first byte: here that of the first length, which is always 0.
	if _, err := stream.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.CloseWithError(0, "") // it may be closed
		_ = tr.Close()
		_ = udp.Close()
	})
	return &peer{conn: conn, stream: stream, link: link}
}

func (p *peer) raw(b []byte) error {
	if !p.begun {
		p.begun, b = true, b[1:]
	}
	_, err := p.stream.Write(b)
	return err
}

func (p *peer) Send(data string) error {
	return p.raw(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
}

func (p *peer) Recv() (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.stream, head[:]); err != nil {
		return "", p.why(err)
	}
	data := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(p.stream, data)
	return string(data), p.why(err)
}

// why makes what the server said of an error.
func (p *peer) why(err error) error {
	if closed, ok := errors.AsType[*quic.ApplicationError](err); ok && closed.Remote {
		return transport.ReadWords(uint32(closed.ErrorCode), closed.ErrorMessage)
	}
	return err
}

func (p *peer) Finish() error { return p.stream.Close() }

// Cut closes the connection as clients do that come back: with code 0. That is not the end of a session.
func (p *peer) Cut() { _ = p.conn.CloseWithError(0, "") }

func (p *peer) Vanish() { p.link.once.Do(func() { close(p.link.off) }) }

// breaches are ways to break the framing.
var breaches = map[string]string{
	"a length and no frame":    "\x00\x00\x00\x01",
	"half a length":            "\x00\x00",
	"half a frame":             "\x00\x00\x00\x05abc",
	"half a large frame":       "\x00\x00\xff\xffabc",
	"a frame that is too long": "\x00\xff\xff\xffabc",
}

func TestConformance(t *testing.T) {
	t.Parallel()
	malformed := map[string]func(transporttest.Peer) error{}
	for name, text := range breaches {
		malformed[name] = func(p transporttest.Peer) error {
			return errors.Join(p.(*peer).raw([]byte(text)), p.Finish())
		}
	}
	transporttest.Run(t, transporttest.Transport{
		Serve: func(t *testing.T, handle transporttest.Handler) func(t *testing.T) transporttest.Peer {
			t.Helper()
			s := serve(t, handle)
			return func(t *testing.T) transporttest.Peer {
				t.Helper()
				return s.dial(t)
			}
		},
		MaxFrame:  maxFrame,
		DeadAfter: silence,
		Malformed: malformed,
	})
}

// TestBreachesAreExplained: the client is told what was wrong with its framing.
func TestBreachesAreExplained(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c transport.Conn) error {
		for {
			if _, err := c.Read(); err != nil {
				return err
			}
		}
	})
	for name, text := range breaches {
		p := s.dial(t)
		if err := errors.Join(p.raw([]byte(text)), p.Finish()); err != nil {
			t.Fatal(err)
		}
		_, err := p.Recv()
		var why transport.Disconnect
		if !errors.As(err, &why) || why.Code != transport.BadRequest.Code || !strings.Contains(why.Reason, "frame") {
			t.Errorf("%s: told %v", name, err)
		}
	}
}

// TestOneStream: a client gets one stream, and none of the node.
func TestOneStream(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c transport.Conn) error {
		_, err := c.Read()
		return err
	})
	p := s.dial(t)
	if _, err := p.conn.OpenStream(); err == nil {
		t.Error("a second stream was opened")
	}
	if _, err := p.conn.OpenUniStream(); err == nil {
		t.Error("a stream in one direction was opened")
	}
	p.Cut()
}

// TestLastFramesArrive: what a refused client is told comes before the end does.
func TestLastFramesArrive(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c transport.Conn) error {
		if _, err := c.Read(); err != nil {
			return err
		}
		if err := c.Write(transporttest.Frames(t, 1, strings.Repeat("x", 50_000), "refused")); err != nil {
			return err
		}
		return errors.New("not you")
	})
	for range 20 {
		p := s.dial(t)
		if err := p.Send("let me in"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"1:" + strings.Repeat("x", 50_000), "2:refused"} {
			if got, err := p.Recv(); err != nil || got != want {
				t.Fatalf("got %.40q, %v", got, err)
			}
		}
		if _, err := p.Recv(); !errors.Is(err, io.EOF) {
			t.Fatalf("the end is %v", err)
		}
		p.Cut()
	}
}
