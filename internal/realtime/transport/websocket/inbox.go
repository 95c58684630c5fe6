package websocket

import (
	"io"
	"sync"
)

const (
	// sharedInbox is what is read from a client at once. A payload that is larger is read straight into
	// the message.
	sharedInbox = 4 << 10
	// privateInbox is the same for a connection that cannot wait without a buffer, and keeps it.
	privateInbox = 512
)

// inbox is bytes that came and were not read yet, never none.
type inbox struct {
	bytes    []byte
	from, to int
}

var inboxes = sync.Pool{New: func() any { return &inbox{bytes: make([]byte, sharedInbox)} }}

func (b *inbox) empty() bool { return b.from == b.to }

func (b *inbox) read(p []byte) int {
	n := copy(p, b.bytes[b.from:b.to])
	b.from += n
	return n
}

// free gives back an inbox that is shared.
func (b *inbox) free() {
	if len(b.bytes) == sharedInbox {
		inboxes.Put(b)
	}
}

// source is a connection as what its reader reads.
type source Conn

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.net.Read(p)
	if n > 0 {
		s.note()
	}
	return n, err
}

// note notes that something came from the client.
func (s *source) note() { s.heard.Store(s.group.now.Load()) }

// fill implements filler. A connection at rest holds no buffer, if the system tells when there is
// something to read.
func (s *source) fill() (*inbox, error) {
	if s.raw == nil {
		return fillPrivate(s)
	}
	if err := s.raw.Read(s.wait); err != nil {
		return nil, err
	}
	return s.in.box, s.in.err
}

// readable implements what RawConn.Read asks for: it is called when there may be something to read, and
// leaves that in the reader.
func (s *source) readable(fd uintptr) (done bool) {
	box := inboxes.Get().(*inbox) //nolint:forcetypeassert // nothing else is put there
	n, later, err := readNow(fd, box.bytes)
	if n > 0 {
		box.from, box.to = 0, n
		s.in.box = box
		s.note()
		return true
	}
	inboxes.Put(box)
	if later {
		return false
	}
	if s.in.err = err; err == nil {
		s.in.err = io.EOF
	}
	return true
}

// pinged implements filler.
func (s *source) pinged(payload []byte) { (*Conn)(s).pinged(payload) }

// fillPrivate waits with a buffer.
func fillPrivate(src io.Reader) (*inbox, error) {
	box := &inbox{bytes: make([]byte, privateInbox)}
	n, err := src.Read(box.bytes)
	if n == 0 {
		return nil, err
	}
	box.to = n // an error comes again
	return box, nil
}
