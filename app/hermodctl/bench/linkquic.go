package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

const (
	quicHeader = 4       // the length of a frame, before it
	maxFrame   = 4 << 20 // that a client takes
)

// quicDialer opens QUIC connections of one stream each.
type quicDialer struct {
	addr     string
	tls      *tls.Config
	protocol Protocol
}

func (d *quicDialer) dial(ctx context.Context, who identity) (link, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	conn, err := quic.DialAddr(ctx, d.addr, d.tls, &quic.Config{KeepAlivePeriod: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, errors.Join(err, conn.CloseWithError(0, ""))
	}
	l := &quicLink{conn: conn, stream: stream, in: bufio.NewReader(stream)}
	if d.protocol == IM {
		if err := l.send(hello(who)); err != nil {
			return nil, errors.Join(err, conn.CloseWithError(0, ""))
		}
	}
	return l, nil
}

// hello is the first frame of im.v1 over QUIC: a heartbeat with what is in the headers elsewhere.
func hello(who identity) []byte {
	metadata := map[string]string{"user-id": who.user, "room-id": who.room, "device-id": "bench", "capabilities": who.capabilities}
	if who.token != "" {
		metadata["authorization"] = "Bearer " + who.token
	}
	return encode(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: metadata})
}

func (d *quicDialer) close() error { return nil }

// quicLink is the one stream of a QUIC connection.
type quicLink struct {
	conn    *quic.Conn
	stream  *quic.Stream
	in      *bufio.Reader
	message []byte
	sending sync.Mutex
}

func (l *quicLink) send(frame []byte) error {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, quicHeader+len(frame)), uint32(len(frame)))
	l.sending.Lock()
	defer l.sending.Unlock()
	if err := l.stream.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return err
	}
	_, err := l.stream.Write(append(b, frame...))
	return err
}

func (l *quicLink) receive(take taker) error {
	var head [quicHeader]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return l.ended(err)
	}
	size := int(binary.BigEndian.Uint32(head[:]))
	if size > maxFrame {
		return fmt.Errorf("a frame of %d bytes came, at most %d are taken", size, maxFrame)
	}
	if cap(l.message) < size {
		l.message = make([]byte, size)
	}
	l.message = l.message[:size]
	if _, err := io.ReadFull(l.in, l.message); err != nil {
		return l.ended(err)
	}
	return take(l.message)
}

// ended tells the code with which the node has closed the connection.
func (l *quicLink) ended(err error) error {
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok && e.Remote {
		return &closedError{code: int(e.ErrorCode), reason: e.ErrorMessage}
	}
	return err
}

func (l *quicLink) close() { _ = l.conn.CloseWithError(0, "") } // it may have been closed before
