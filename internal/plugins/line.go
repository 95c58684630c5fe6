package plugins

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/game-im/hermod/internal/biz"
)

// What may wait for interceptors at a time, in all lines together.
const (
	maxWaiting      = 16 << 10
	maxWaitingBytes = 64 << 20
	// waitingOverhead stands for what a message takes that waits, besides its content.
	waitingOverhead = 1 << 10
)

// lineKey is one sender in one room.
type lineKey struct {
	room   biz.RoomID
	sender biz.UserID
}

// line is the messages of one sender in one room that interceptors look at, in the order in which they
// were sent.
type line struct {
	key         lineKey
	first, last *passage
	leaving     bool // somebody hands on what has been decided
}

// lines has messages go on in the order in which they came, in whatever order they are decided. A line
// is there while something waits in it.
type lines struct {
	seed   maphash.Seed
	shards [32]shard
	count  atomic.Int64
	bytes  atomic.Int64
}

type shard struct {
	mu    sync.Mutex
	lines map[lineKey]*line
	spare *line // that was given up last
}

func newLines() *lines {
	l := &lines{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].lines = map[lineKey]*line{}
	}
	return l
}

func (l *lines) shard(k lineKey) *shard {
	return &l.shards[maphash.Comparable(l.seed, k)%uint64(len(l.shards))]
}

// enter puts p at the end of its line, unless too much waits already.
func (l *lines) enter(p *passage) bool {
	p.size = int64(len(p.draft.Content)) + waitingOverhead
	count, bytes := l.count.Add(1), l.bytes.Add(p.size)
	if count > maxWaiting || bytes > maxWaitingBytes {
		l.count.Add(-1)
		l.bytes.Add(-p.size)
		return false
	}
	key := lineKey{p.draft.Room, p.draft.Sender}
	s := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.lines[key]
	if in == nil {
		in = s.freshLocked()
		in.key = key
		s.lines[key] = in
	}
	if p.shard, p.line = s, in; in.last == nil {
		in.first = p
	} else {
		in.last.behind = p
	}
	in.last = p
	return true
}

// settle notes that p is decided, and hands on whatever is now at the head of its line and decided. One
// goroutine at a time does that for a line, so that the order holds.
func (l *lines) settle(p *passage) {
	s, in := p.shard, p.line
	s.mu.Lock()
	defer s.mu.Unlock()
	p.settled = true
	if in.leaving {
		return
	}
	in.leaving = true
	for in.first != nil && in.first.settled {
		head := in.first
		if in.first = head.behind; in.first == nil {
			in.last = nil
		}
		head.behind = nil // a call that hangs keeps it, and is not to keep all that follow
		l.count.Add(-1)
		l.bytes.Add(-head.size)
		s.mu.Unlock()
		head.verdict(head.refusal)
		s.mu.Lock()
	}
	in.leaving = false
	if in.first == nil {
		delete(s.lines, in.key)
		s.spare = in
	}
}

func (s *shard) freshLocked() *line {
	if in := s.spare; in != nil {
		s.spare = nil
		return in
	}
	return &line{}
}
