package websocket

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// firstPart bounds what is allocated on the word of a client, before its bytes are there.
const firstPart = 4 << 10

// violation is a breach of the protocol, with the status that the connection is closed with.
type violation struct {
	status ws.StatusCode
	reason string
}

func (v *violation) Error() string { return fmt.Sprintf("websocket (%d): %s", v.status, v.reason) }

// left is the client's close frame.
type left struct {
	status ws.StatusCode // 0: it gave none
}

func (l *left) Error() string { return fmt.Sprintf("websocket: the client left (%d)", l.status) }

// filler is where a reader's bytes come from.
type filler interface {
	io.Reader
	// fill waits for bytes and returns an inbox with some; with an error, one without any or none.
	fill() (*inbox, error)
	// pinged is called with the payload of a ping, which is the callee's own from then on.
	pinged(payload []byte)
}

// reader takes messages out of what a client sends. It has an inbox while there is something in it.
type reader struct {
	src   filler
	limit int // bytes of a message
	box   *inbox
	err   error // of the source, for good
}

// await waits until there is something to read. Doing so here, where the stack is low, keeps the stack
// of a goroutine small that has nothing to do but wait. An error comes out of the next message.
func (r *reader) await() {
	if r.empty() {
		r.box, r.err = r.src.fill()
	}
}

// empty tells that whoever reads would have to wait.
func (r *reader) empty() bool { return r.box == nil && r.err == nil }

// errQuiet tells that control frames have come, and nothing behind them.
var errQuiet = errors.New("websocket: no message yet")

// message returns the next message of the client: a *left at its end, a *violation when it breaks
// the protocol, errQuiet when it would have to wait between two messages, behind a control frame, or the
// error of the source, which is never io.EOF.
func (r *reader) message() (op ws.OpCode, data []byte, err error) {
	state := ws.StateServerSide
	scratch := scratches.Get().(*[ws.MaxHeaderSize]byte) //nolint:forcetypeassert // nothing else is put there
	defer scratches.Put(scratch)
	for {
		h, err := ws.ReadHeaderBuffer(r, scratch[:0])
		if err != nil {
			return 0, nil, headerError(err)
		}
		if err := ws.CheckHeader(h, state); err != nil {
			return 0, nil, &violation{ws.StatusProtocolError, err.Error()}
		}
		if h.OpCode.IsControl() {
			if err := r.control(h); err != nil {
				return 0, nil, err
			}
			if r.empty() && !state.Fragmented() {
				return 0, nil, errQuiet
			}
			continue
		}
		if h.Length > int64(r.limit-len(data)) {
			return 0, nil, &violation{ws.StatusMessageTooBig, fmt.Sprintf("a message may have %d bytes", r.limit)}
		}
		if h.OpCode != ws.OpContinuation {
			op = h.OpCode
		}
		if data, err = r.payload(data, h); err != nil {
			return 0, nil, err
		}
		if !h.Fin {
			state = state.Set(ws.StateFragmented)
			continue
		}
		if op == ws.OpText && !utf8.Valid(data) {
			return 0, nil, &violation{ws.StatusInvalidFramePayloadData, "a text message is not UTF-8"}
		}
		return op, data, nil
	}
}

// scratches are for headers.
var scratches = sync.Pool{New: func() any { return new([ws.MaxHeaderSize]byte) }}

func headerError(err error) error {
	if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		return &violation{ws.StatusProtocolError, err.Error()}
	}
	return lost(err)
}

// lost keeps the end of the bytes from being taken for the end that a client means.
func lost(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// payload appends a frame's payload to data.
func (r *reader) payload(data []byte, h ws.Header) ([]byte, error) {
	begin := len(data)
	for left := int(h.Length); left > 0; {
		part := min(left, max(firstPart, len(data)))
		at := len(data)
		data = slices.Grow(data, part)[:at+part]
		if _, err := io.ReadFull(r, data[at:]); err != nil {
			return nil, lost(err)
		}
		left -= part
	}
	ws.Cipher(data[begin:], h.Mask, 0)
	return data, nil
}

func (r *reader) control(h ws.Header) error {
	payload, err := r.payload(nil, h)
	if err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		r.src.pinged(payload)
	case ws.OpClose:
		return closing(payload)
	}
	return nil // a pong has been heard, which is all that it is for
}

// closing reads the payload of a close frame.
func closing(payload []byte) error {
	if len(payload) == 0 {
		return &left{}
	}
	if len(payload) == 1 {
		return &violation{ws.StatusProtocolError, "a close frame with half a status"}
	}
	status, reason := ws.ParseCloseFrameData(payload)
	switch err := ws.CheckCloseFrameData(status, reason); {
	case errors.Is(err, ws.ErrProtocolInvalidUTF8):
		return &violation{ws.StatusInvalidFramePayloadData, err.Error()}
	case err != nil:
		return &violation{ws.StatusProtocolError, err.Error()}
	}
	return &left{status}
}

// Read implements io.Reader, through the buffer.
func (r *reader) Read(p []byte) (int, error) {
	if r.box == nil && len(p) >= privateInbox && r.err == nil {
		return r.src.Read(p)
	}
	if r.await(); r.box == nil {
		return 0, r.err
	}
	n := r.box.read(p)
	if r.box.empty() {
		r.box.free()
		r.box = nil
	}
	return n, nil
}
