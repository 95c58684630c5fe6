package websocket_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
	"github.com/game-im/hermod/internal/realtime/transport/websocket"
)

const maxMessage = 100_000

// options have clients pinged often, and given the time that one needs to answer on a loaded machine.
var options = websocket.Options{MaxMessage: maxMessage, PingAfter: 400 * time.Millisecond, PingTimeout: 3 * time.Second}

// server serves connections of a group with a handler, text or binary.
type server struct {
	group *websocket.Group
	http  *httptest.Server
	addr  string
}

func serve(t testing.TB, o websocket.Options, text bool, handle transporttest.Handler) *server {
	t.Helper()
	return serveRaw(t, o, text, func(c *websocket.Conn) {
		why := transport.Ended
		if err := handle(c); err != nil {
			why = transport.BadRequest.Because("%v", err)
		}
		c.Finish(why)
	})
}

// serveRaw leaves it to handle to finish a connection, then or later.
func serveRaw(t testing.TB, o websocket.Options, text bool, handle func(*websocket.Conn)) *server {
	t.Helper()
	g := websocket.NewGroup(o)
	s := &server{group: g}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := g.Request(w, r)
		if err := req.Upgrade("", nil); err != nil {
			if w, _ := req.Answer(); w != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		go func() {
			req.Conn.Speak(transporttest.Text, text, false)
			handle(req.Conn)
		}()
	}))
	s.addr = s.http.Listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var pings sync.WaitGroup
	pings.Go(func() { g.Run(ctx) })
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		if err := g.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		cancel()
		pings.Wait()
		s.http.Close()
	})
	return s
}

// peer is a client that sees and makes single frames.
type peer struct {
	net  net.Conn
	link *transporttest.Link
	in   *bufio.Reader
	mu   sync.Mutex
	text bool
}

func (s *server) dial(t testing.TB, text bool) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	link := transporttest.NewLink(t, nc)
	in, _, err := ws.Dialer{}.Upgrade(link, mustURL("ws://"+s.addr+"/"))
	if err != nil {
		t.Fatal(err)
	}
	if in == nil {
		in = bufio.NewReader(link)
	}
	return &peer{net: link, link: link, in: in, text: text}
}

func (p *peer) frame(f ws.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ws.WriteFrame(p.net, ws.MaskFrame(f))
}

func (p *peer) raw(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.net.Write(b)
	return err
}

func (p *peer) Send(data string) error {
	op := ws.OpBinary
	if p.text {
		op = ws.OpText
	}
	return p.frame(ws.NewFrame(op, true, []byte(data)))
}

func (p *peer) Recv() (string, error) {
	for {
		f, err := readFrame(p.in)
		if err != nil {
			return "", err
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			if err := p.frame(ws.NewPongFrame(f.Payload)); err != nil {
				return "", err
			}
		case ws.OpPong:
		case ws.OpClose:
			_ = p.frame(ws.NewCloseFrame(f.Payload)) // may have been said already
			p.Cut()
			status, reason := ws.ParseCloseFrameData(f.Payload)
			if status == ws.StatusNormalClosure {
				return "", io.EOF
			}
			return "", transport.ReadWords(uint32(status), reason)
		default:
			return string(f.Payload), nil
		}
	}
}

// readFrame reads a frame of a server: not masked, whole.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	if f.Header.Masked || !f.Header.Fin || f.Header.Rsv != 0 {
		return f, errors.New("a frame that no server sends")
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

func (p *peer) Finish() error {
	return p.frame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
}

func (p *peer) Cut() { _ = p.net.Close() } // may be closed already

func (p *peer) Vanish() { p.link.Freeze() }

func masked(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
}

// breaches are byte sequences that break RFC 6455, and the status that a client is closed with.
var breaches = map[string]struct {
	bytes  []byte
	status ws.StatusCode
}{
	"not masked":                       {ws.MustCompileFrame(ws.NewBinaryFrame([]byte("x"))), ws.StatusProtocolError},
	"a reserved bit":                   {[]byte{0xC2, 0x80, 0, 0, 0, 0}, ws.StatusProtocolError},
	"a reserved opcode":                {[]byte{0x83, 0x80, 0, 0, 0, 0}, ws.StatusProtocolError},
	"a continuation of nothing":        {masked(ws.OpContinuation, true, "x"), ws.StatusProtocolError},
	"a message within another":         {append(masked(ws.OpBinary, false, "x"), masked(ws.OpBinary, true, "y")...), ws.StatusProtocolError},
	"a ping in fragments":              {masked(ws.OpPing, false, "x"), ws.StatusProtocolError},
	"a ping that is too large":         {masked(ws.OpPing, true, strings.Repeat("x", 126)), ws.StatusProtocolError},
	"a length beyond 63 bits":          {append([]byte{0x82, 0xFF}, binary.BigEndian.AppendUint64(nil, 1<<63)...), ws.StatusProtocolError},
	"a length of exabytes":             {append(append([]byte{0x82, 0xFF}, binary.BigEndian.AppendUint64(nil, 1<<62)...), 0, 0, 0, 0), ws.StatusMessageTooBig},
	"half a close status":              {masked(ws.OpClose, true, "x"), ws.StatusProtocolError},
	"a close status that is reserved":  {masked(ws.OpClose, true, "\x03\xEE"), ws.StatusProtocolError},
	"a close reason that is not UTF-8": {masked(ws.OpClose, true, "\x03\xE8\xFF"), ws.StatusInvalidFramePayloadData},
	"the other kind of message":        {masked(ws.OpText, true, "text"), ws.StatusUnsupportedData},
	"text that is not UTF-8":           {masked(ws.OpText, true, "\xFF"), ws.StatusInvalidFramePayloadData},
	"fragments that are too large together": {append(masked(ws.OpBinary, false, strings.Repeat("x", maxMessage)),
		masked(ws.OpContinuation, true, "y")...), ws.StatusMessageTooBig},
}
