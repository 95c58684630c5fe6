package server

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// listen opens a listener whose connections are counted.
func listen(name, addr string, m *Metrics) (_ net.Listener, cleanup func(), err error) {
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("server.%s.addr: %w", name, err)
	}
	cleanup = func() {
		_ = lis.Close() // fails when its server has closed it, as usual
	}
	return &countingListener{Listener: lis, open: m.connections.WithLabelValues(name)}, cleanup, nil
}

type countingListener struct {
	net.Listener
	open prometheus.Gauge
}

// Accept implements net.Listener.
func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Inc()
	return &countedConn{Conn: c, closed: sync.OnceFunc(l.open.Dec)}, nil
}

type countedConn struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.closed()
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

// WriteBuffers writes several buffers in one go, if the system can: net.Buffers does not look behind
// a connection that is wrapped.
func (c *countedConn) WriteBuffers(b *net.Buffers) (int64, error) { return b.WriteTo(c.Conn) }
