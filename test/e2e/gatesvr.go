package e2e

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// What the frames of the old gateway say, as the code has it that its published client was generated
// from.
const (
	askStart, askStop, askBeat, askBusiness, askAck = 1, 2, 3, 4, 5
	toldStart, toldBeat, toldData, toldError        = 1, 2, 3, 4
)

// gatesvr is the published client of the old gateway, written from its wire and from nothing of ours:
// QUIC with ALPN gatesvr, any certificate, an idle timeout of 30 s, frames with their length in front,
// requests that it counts, and an ACK for each frame that comes.
type gatesvr struct {
	t      *testing.T
	conn   *quic.Conn
	stream *quic.Stream

	msgID uint32 // of the last request
	seq   uint64 // of the last business request
	last  uint64 // the last frame that it has acknowledged
	quiet bool   // it acknowledges nothing
}

// told is a frame of the gateway's.
type told struct {
	msgID, seq, kind uint64
	payload          fields
	headers          map[string]string
}

// dialGatesvr connects a client; from is the one whose numbers it goes on with, or nil.
func dialGatesvr(t *testing.T, addr string, from *gatesvr) *gatesvr {
	t.Helper()
	conn, err := quic.DialAddr(within(t), addr, anyCertificate(), &quic.Config{MaxIdleTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") }) // it may be closed
	stream, err := conn.OpenStreamSync(within(t))
	if err != nil {
		t.Fatal(err)
	}
	g := &gatesvr{t: t, conn: conn, stream: stream}
	if from != nil {
		g.msgID, g.seq, g.last = from.msgID, from.seq, from.last
	}
	return g
}

func anyCertificate() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"gatesvr"}}
}

// disconnect is how the client goes away without a STOP.
func (g *gatesvr) disconnect() { _ = g.conn.CloseWithError(0, "client disconnect") } // it may be closed

func (g *gatesvr) write(frame []byte) {
	g.t.Helper()
	if _, err := g.stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		g.t.Fatal(err)
	}
}

// ask sends a request and returns its msg_id. Fields that are 0 or empty are not sent, as in proto3.
func (g *gatesvr) ask(kind, seq uint64, payload wire) uint32 {
	g.t.Helper()
	var w wire
	id := uint32(0)
	if kind != askAck {
		g.msgID++
		id = g.msgID
		w = w.num(1, uint64(id))
	}
	if seq > 0 {
		w = w.num(2, seq)
	}
	w = w.num(3, kind)
	if len(payload) > 0 {
		w = w.data(4, payload)
	}
	g.write(w)
	return id
}

// start sends START in the numbering of the generated code.
func (g *gatesvr) start(openid string) uint32 {
	g.t.Helper()
	w := wire(nil).text(1, openid).text(3, "default-token")
	if g.last > 0 {
		w = w.num(4, g.last)
	}
	return g.ask(askStart, 0, w)
}

// startAsWritten sends START in the numbering of the .proto file, which the code does not have.
func (g *gatesvr) startAsWritten(openid string) uint32 {
	g.t.Helper()
	w := wire(nil).text(1, openid).text(2, "default-token")
	if g.last > 0 {
		w = w.num(3, g.last)
	}
	return g.ask(askStart, 0, w)
}

func (g *gatesvr) business(action, data string) uint32 {
	g.t.Helper()
	g.seq++
	w := wire(nil).text(1, action).pair(2, "name", "old")
	if data != "" {
		w = w.data(3, []byte(data))
	}
	return g.ask(askBusiness, g.seq, w)
}

// read returns the next frame, or why there is none.
func (g *gatesvr) read() (told, error) {
	g.t.Helper()
	if err := g.stream.SetReadDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(g.stream, head[:]); err != nil {
		return told{}, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(g.stream, body); err != nil {
		return told{}, err
	}
	f, err := parse(body)
	if err != nil {
		g.t.Fatalf("a frame %x: %v", body, err)
	}
	payload, err := parse(f.bytes(4))
	if err != nil {
		g.t.Fatalf("a payload %x: %v", f.bytes(4), err)
	}
	return told{msgID: f.nums[1], seq: f.nums[2], kind: f.nums[3], payload: payload, headers: f.pairs(5)}, nil
}

// next returns the next frame, which must have the next number, and acknowledges it.
func (g *gatesvr) next() told {
	g.t.Helper()
	f, err := g.read()
	if err != nil {
		g.t.Fatal(err)
	}
	if f.seq != g.last+1 {
		g.t.Fatalf("frame %d after %d", f.seq, g.last)
	}
	g.last = f.seq
	if !g.quiet {
		g.ask(askAck, 0, wire(nil).num(1, g.last))
	}
	return f
}

// started returns the session's id from the answer to START, which is the next frame.
func (g *gatesvr) started(id uint32) string {
	g.t.Helper()
	f := g.next()
	session := f.payload.text(4)
	if f.kind != toldStart || f.msgID != uint64(id) || f.payload.nums[1] != 1 || f.payload.nums[3] != 30 || session == "" {
		g.t.Fatalf("START %d was answered with %+v", id, f)
	}
	return session
}

// answered checks that the next frame is the service's answer to a request; 0: a push.
func (g *gatesvr) answered(id uint32, message, data string) {
	g.t.Helper()
	f := g.next()
	if f.kind != toldData || f.msgID != uint64(id) {
		g.t.Fatalf("frame %d is no answer to %d: %+v", f.seq, id, f)
	}
	if f.payload.nums[1] != 200 || f.payload.text(2) != message || f.payload.text(3) != data {
		g.t.Errorf("frame %d says %d %q %q; want 200 %q %q", f.seq, f.payload.nums[1], f.payload.text(2), f.payload.text(3), message, data)
	}
}

// refused checks that the next frame is an ERROR for a request.
func (g *gatesvr) refused(id uint32, code uint64) {
	g.t.Helper()
	f := g.next()
	if f.kind != toldError || f.msgID != uint64(id) || f.payload.nums[1] != code || f.payload.text(2) == "" {
		g.t.Errorf("request %d was answered with %+v; want ERROR %d", id, f, code)
	}
}
