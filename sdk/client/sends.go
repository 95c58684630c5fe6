package client

import (
	"slices"
	"sync"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// outgoing is a send that waits for its answer.
type outgoing struct {
	req  *imv1.MessageRequest
	on   *connection // the connection that it was last written to; guarded by sends.mu
	done chan struct{}

	result *SendResult // these two are set before done is closed
	err    error
}

// sends are the sends that wait for an answer, in the order in which they were made. The zero
// value is ready; safe for concurrent use.
type sends struct {
	mu    sync.Mutex
	byID  map[string]*outgoing
	order []*outgoing
}

func (s *sends) add(req *imv1.MessageRequest) (*outgoing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.byID[req.GetMessageId()]; taken {
		return nil, ErrDuplicateID
	}
	if s.byID == nil {
		s.byID = map[string]*outgoing{}
	}
	o := &outgoing{req: req, done: make(chan struct{})}
	s.byID[req.GetMessageId()] = o
	s.order = append(s.order, o)
	return o, nil
}

// remove forgets o, if it is still there.
func (s *sends) remove(o *outgoing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(o)
}

func (s *sends) removeLocked(o *outgoing) bool {
	if s.byID[o.req.GetMessageId()] != o {
		return false
	}
	delete(s.byID, o.req.GetMessageId())
	i := slices.Index(s.order, o) // answers come in order: it is among the first
	s.order = slices.Delete(s.order, i, i+1)
	if len(s.order) == 0 {
		s.byID, s.order = nil, nil // most clients of thousands are silent most of the time
	}
	return true
}

// settle gives the send with this id its outcome and returns it, or nil when there is none.
func (s *sends) settle(id string, result *SendResult, err error) *outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byID[id]
	if o != nil {
		s.settleLocked(o, result, err)
	}
	return o
}

func (s *sends) settleLocked(o *outgoing, result *SendResult, err error) {
	if !s.removeLocked(o) {
		return
	}
	if err == nil {
		o.result = result
	}
	o.err = err
	close(o.done)
}

func (s *sends) failAll(err error) {
	s.failIf(err, func(*outgoing) bool { return true })
}

// failWritten fails the sends that went over cn.
func (s *sends) failWritten(cn *connection, err error) {
	s.failIf(err, func(o *outgoing) bool { return o.on == cn })
}

func (s *sends) failIf(err error, which func(*outgoing) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range slices.Clone(s.order) {
		if which(o) {
			s.settleLocked(o, nil, err)
		}
	}
}

// claim tells whether o is still to be written to cn, and notes that it is being.
func (s *sends) claim(o *outgoing, cn *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.on == cn || s.byID[o.req.GetMessageId()] != o {
		return false
	}
	o.on = cn
	return true
}

// all returns the waiting sends in their order.
func (s *sends) all() []*outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

func (s *sends) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order) > 0
}
