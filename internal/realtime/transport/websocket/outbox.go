package websocket

import (
	"net"
	"sync"
	"syscall"
)

// outbox is a buffer that is offered to a connection without waiting for its client. The function that
// does so belongs to the outbox, since a new one for each write would be garbage.
type outbox struct {
	bytes []byte
	n     int
	err   error
	write func(fd uintptr) (done bool)
}

var smallOutboxes, largeOutboxes = newOutboxes(smallWrite), newOutboxes(largeWrite)

func newOutboxes(size int) *sync.Pool {
	return &sync.Pool{New: func() any {
		box := &outbox{bytes: make([]byte, 0, size)}
		box.write = box.writeOnce
		return box
	}}
}

// offer writes as much as the connection takes at once.
func (b *outbox) offer(to syscall.RawConn) (n int, err error) {
	b.n, b.err = 0, nil
	if err := to.Write(b.write); err != nil {
		return 0, err
	}
	return b.n, b.err
}

// writeOnce implements what RawConn.Write asks for. It is always done: nobody waits here.
func (b *outbox) writeOnce(fd uintptr) (done bool) {
	b.n, _, b.err = writeNow(fd, b.bytes)
	return true
}

// rawOf returns the way to the system's connection, nil when there is something in between.
func rawOf(nc net.Conn) syscall.RawConn {
	open, ok := nc.(syscall.Conn)
	if !ok || !canTry {
		return nil
	}
	raw, err := open.SyscallConn()
	if err != nil {
		return nil // closed: the next write tells
	}
	return raw
}

// writeAll writes pieces in one go if the network connection can: a TCP connection, or one around it
// that has WriteBuffers.
func writeAll(nc net.Conn, pieces net.Buffers) error {
	if wrapped, ok := nc.(interface {
		WriteBuffers(b *net.Buffers) (int64, error)
	}); ok {
		_, err := wrapped.WriteBuffers(&pieces)
		return err
	}
	_, err := pieces.WriteTo(nc)
	return err
}

// skip returns pieces without their first n bytes.
func skip(pieces net.Buffers, n int) net.Buffers {
	for n >= len(pieces[0]) {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	pieces[0] = pieces[0][n:]
	return pieces
}
