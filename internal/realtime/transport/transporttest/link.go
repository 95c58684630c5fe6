package transporttest

import (
	"net"
	"sync"
	"testing"
)

// Link is a client's network connection that can fall silent: after Freeze nothing that is written
// to it leaves, nothing arrives, and closing it is not told to the other side before the test ends.
type Link struct {
	net.Conn
	freeze sync.Once
	frozen chan struct{}
	closed chan struct{}
	once   sync.Once
}

// NewLink makes a Link of a connection, which is closed when the test ends at the latest.
func NewLink(t testing.TB, conn net.Conn) *Link {
	t.Cleanup(func() { _ = conn.Close() }) // the client may have closed it
	return &Link{Conn: conn, frozen: make(chan struct{}), closed: make(chan struct{})}
}

// Freeze silences the connection for good.
func (l *Link) Freeze() { l.freeze.Do(func() { close(l.frozen) }) }

// Read implements net.Conn.
func (l *Link) Read(b []byte) (int, error) {
	if l.isFrozen() {
		<-l.closed
		return 0, net.ErrClosed
	}
	n, err := l.Conn.Read(b)
	if l.isFrozen() {
		<-l.closed
		return 0, net.ErrClosed
	}
	return n, err
}

// Write implements net.Conn.
func (l *Link) Write(b []byte) (int, error) {
	if l.isFrozen() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}

// Close implements net.Conn.
func (l *Link) Close() error {
	l.once.Do(func() { close(l.closed) })
	if l.isFrozen() {
		return nil
	}
	return l.Conn.Close()
}

func (l *Link) isFrozen() bool {
	select {
	case <-l.frozen:
		return true
	default:
		return false
	}
}
