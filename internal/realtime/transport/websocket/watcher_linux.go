package websocket

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// watcher tells when something comes to connections that nobody reads: one goroutine waits for all of
// them, with an epoll set of its own, which in turn waits in Go's. The zero value is ready.
type watcher struct {
	mu    sync.Mutex
	set   *os.File // of the system's; nil before the first connection rests
	fd    int      // of it, while over is false
	conns []*Conn  // at rest, by the number of their file
	over  bool
	ended chan struct{} // closed when the goroutine has; nil as long as there is none
}

// wakings is how many connections are woken at once.
const wakings = 128

// add begins to watch a connection, which is woken once; false if that cannot be.
func (w *watcher) add(c *Conn) (ok bool) {
	err := c.raw.Control(func(fd uintptr) {
		w.mu.Lock()
		defer w.mu.Unlock()
		ok = w.addLocked(int(fd), c)
	})
	return err == nil && ok
}

func (w *watcher) addLocked(fd int, c *Conn) bool {
	if w.over || w.set == nil && !w.openLocked() {
		return false
	}
	// It is told of what is there already as well, and once, so that nobody need be told when a connection
	// is woken in another way. A file that is closed leaves the set.
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(fd)} //nolint:gosec // as all files
	err := syscall.EpollCtl(w.fd, syscall.EPOLL_CTL_MOD, fd, &event)
	if errors.Is(err, syscall.ENOENT) { // its first rest
		err = syscall.EpollCtl(w.fd, syscall.EPOLL_CTL_ADD, fd, &event)
	}
	if err != nil {
		return false
	}
	if fd >= len(w.conns) {
		w.conns = append(w.conns, make([]*Conn, fd+1-len(w.conns))...)
	}
	w.conns[fd] = c
	return true
}

func (w *watcher) openLocked() bool {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	if err = syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd) // nothing is in it
		return false
	}
	set := os.NewFile(uintptr(fd), "epoll")
	raw, err := set.SyscallConn()
	if err != nil {
		_ = set.Close() // nothing is in it
		return false
	}
	w.set, w.fd, w.ended = set, fd, make(chan struct{})
	go w.run(raw)
	return true
}

// run wakes connections until the set is closed. If it has to end before, all connections have
// goroutines again.
func (w *watcher) run(set syscall.RawConn) {
	defer close(w.ended)
	var (
		events [wakings]syscall.EpollEvent
		n      int
		failed error
	)
	ready := func(fd uintptr) bool {
		n, failed = syscall.EpollWait(int(fd), events[:], 0)
		return n != 0
	}
	for {
		if err := set.Read(ready); err != nil || failed != nil && !errors.Is(failed, syscall.EINTR) {
			break
		}
		for i := range max(n, 0) {
			if c := w.take(int(events[i].Fd)); c != nil {
				c.wake()
			}
		}
	}
	for _, c := range w.end() {
		c.wake()
	}
}

// take returns the connection at rest that has a file, nil if there is none.
func (w *watcher) take(fd int) *Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fd >= len(w.conns) {
		return nil
	}
	c := w.conns[fd]
	w.conns[fd] = nil
	return c
}

// forget lets go of a connection that is about to be closed.
func (w *watcher) forget(c *Conn) {
	if c.raw == nil {
		return
	}
	_ = c.raw.Control(func(fd uintptr) { // it was closed by force: then all are
		w.mu.Lock()
		defer w.mu.Unlock()
		if int(fd) < len(w.conns) && w.conns[fd] == c {
			w.conns[fd] = nil
		}
	})
}

// end lets nobody rest any more and returns who did.
func (w *watcher) end() (conns []*Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, c := range w.conns {
		if c != nil {
			conns = append(conns, c)
		}
	}
	w.conns = nil
	return conns
}

// stop ends the watch and its goroutine. Connections that are at rest go on.
func (w *watcher) stop() {
	w.mu.Lock()
	w.over = true
	set := w.set
	w.mu.Unlock()
	if set == nil {
		return
	}
	_ = set.Close() // an epoll set has nothing to lose
	<-w.ended
}
