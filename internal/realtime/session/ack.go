package session

import "time"

// receipt is a place that a client turned out to have reached.
type receipt struct {
	source Source
	seq    int64
}

func tell(receipts []receipt) {
	for _, r := range receipts {
		r.source.Received(r.seq)
	}
}

// writtenLocked notes that everything up to seq went to the connection.
func (s *Session) writtenLocked(sub *Subscription, seq int64) {
	if seq <= sub.written {
		return
	}
	sub.written = seq
	s.dirtyLocked(sub)
}

// dirtyLocked lists a subscription with more written than received, for Heard to look at.
func (s *Session) dirtyLocked(sub *Subscription) {
	if !s.Resume && !sub.dirty && sub.source != nil && sub.written > sub.received {
		sub.dirty = true
		s.dirty = append(s.dirty, sub)
	}
}

// Heard notes that something came from the client. One that cannot resume is taken to have what was
// written before; see Options.Resume.
func (s *Session) Heard() {
	s.heard.Store(time.Now().UnixNano())
	if s.Resume {
		if s.unproven.Load() && s.unproven.CompareAndSwap(true, false) {
			s.provenByUse()
		}
		return
	}
	s.mu.Lock()
	var receipts []receipt
	for _, sub := range s.dirty {
		sub.dirty = false
		receipts = sub.appendReceipt(receipts, sub.written, false)
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	s.awaitedHeardLocked()
	s.mu.Unlock()
	tell(receipts)
}

// Ack notes that the client has everything up to seq of a channel. What it claims beyond what was
// written to it is ignored. It returns false when the session does not follow the channel.
func (s *Session) Ack(channel string, seq int64) bool {
	s.mu.Lock()
	sub := s.findLocked(channel)
	if sub == nil {
		s.mu.Unlock()
		return false
	}
	receipts := sub.appendReceipt(nil, seq, true)
	s.dirtyLocked(sub) // what came behind it waits to be confirmed as well
	for s.queue.sent > 0 {
		it := s.queue.items[s.queue.head]
		if it.sub == nil || it.seq > it.sub.received {
			break
		}
		s.queue.drop()
	}
	s.ackedLocked()
	s.mu.Unlock()
	tell(receipts)
	return true
}

// AckLink notes that the client has every frame of the session up to a number. What it claims
// beyond what was written is ignored.
func (s *Session) AckLink(link uint64) {
	s.mu.Lock()
	receipts := s.ackLinkLocked(link)
	s.ackedLocked()
	s.mu.Unlock()
	tell(receipts)
}

func (s *Session) ackLinkLocked(link uint64) (receipts []receipt) {
	if !s.Resume {
		return nil // its frames have no numbers
	}
	link = min(link, s.queue.reached)
	if s.queue.acked < link {
		s.unacked, s.resends = time.Now(), 0
		s.overfull, s.welcomed = false, false
	}
	for s.queue.len() > 0 && s.queue.acked < link {
		it := s.queue.drop()
		if it.sub == nil {
			continue
		}
		// One receipt per subscription: a later frame of the same one replaces it.
		seq := it.sub.confirmLocked(it.seq, true)
		if seq == 0 || it.sub.source == nil {
			continue
		}
		if n := len(receipts); n > 0 && receipts[n-1].source == it.sub.source {
			receipts[n-1].seq = seq
			continue
		}
		receipts = append(receipts, receipt{it.sub.source, seq})
	}
	s.awaitedAckedLocked()
	return receipts
}

// ackedLocked follows an ack: the client is alive, and there may be room again.
func (s *Session) ackedLocked() {
	s.progress = time.Now()
	s.catchUpLocked()
}

func (sub *Subscription) appendReceipt(to []receipt, seq int64, explicit bool) []receipt {
	if seq = sub.confirmLocked(seq, explicit); seq > 0 && sub.source != nil {
		return append(to, receipt{sub.source, seq})
	}
	return to
}
