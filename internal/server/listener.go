package server

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/realtime/overload"
)

// listen opens a listener whose connections are counted, and with a guard bounded.
func listen(name, addr string, m *Metrics, load *overload.Guard) (_ net.Listener, cleanup func(), err error) {
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("server.%s.addr: %w", name, err)
	}
	cleanup = func() {
		_ = lis.Close() // fails when its server has closed it, as usual
	}
	return &countingListener{Listener: lis, gauge: m.connections.WithLabelValues(name), load: load}, cleanup, nil
}

type countingListener struct {
	net.Listener
	gauge prometheus.Gauge
	load  *overload.Guard // nil: any number
	open  atomic.Int64
}

// Accept implements net.Listener.
func (l *countingListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if n := l.open.Add(1); l.load == nil || l.load.Socket(n) {
			l.gauge.Inc()
			return &countedConn{Conn: c, from: l}, nil
		}
		l.open.Add(-1)
		_ = c.Close() // there is nothing to be told to whom, and nothing that could be done about a failure
	}
}

func (l *countingListener) left() {
	l.gauge.Dec()
	l.open.Add(-1)
}

type countedConn struct {
	net.Conn
	from   *countingListener
	closed atomic.Bool
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.from.left()
	}
	return c.Conn.Close()
}

// CloseWrite ends our half of the connection, for those who wait for the other to end its own.
func (c *countedConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// SyscallConn is for those who read and write without waiting.
func (c *countedConn) SyscallConn() (syscall.RawConn, error) {
	open, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return open.SyscallConn()
}

// WriteBuffers writes several buffers in one go, if the system can: net.Buffers does not look behind
// a connection that is wrapped.
func (c *countedConn) WriteBuffers(b *net.Buffers) (int64, error) { return b.WriteTo(c.Conn) }
