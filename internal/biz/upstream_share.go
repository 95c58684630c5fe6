package biz

import "time"

const (
	// shareEvery is how often nodes tell each other again what registered itself with them.
	shareEvery = 15 * time.Second
	// endedFor is how long an instance that has left is remembered as such, so that what another node tells
	// of it again, who does not know yet, does not bring it back. Registering does.
	endedFor = 10 * time.Second
)

// ServiceNews is what nodes tell each other of registrations. The leases are what is left of them.
type ServiceNews struct {
	Registered []Registration
	Ended      []Registration // of which service and address count
	Again      bool           // it was told before
}

// Share names who tells other nodes what has registered itself here, or left. It must not block, and is called
// before the node runs.
func (s *Services) Share(tell func(ServiceNews)) { s.tell = tell }

// Heard takes what another node tells. It is as if the instance had registered itself here, but that nobody
// is told, and that what is wrong by this node's own rules, or known better, is left out.
func (s *Services) Heard(news ServiceNews) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	changed := false
	for _, r := range news.Registered {
		k := instanceKey{r.Service, r.Address}
		left := r.Lease
		if left < 0 || r.check(&s.rules) != nil {
			continue
		}
		r.Lease = min(left, s.rules.MaxLease)
		known := s.book[k] != nil && s.book[k].registered != nil
		if ended, gone := s.ended[k]; news.Again && (gone && now.Sub(ended) < endedFor || known && !s.book[k].outlivedBy(r, now)) {
			continue
		}
		same := known && s.book[k].registered.Zone == r.Zone && s.book[k].registered.Current == r.Current
		if s.book.register(r, now) != nil {
			continue // there are too many
		}
		s.book[k].elsewhere = true
		delete(s.ended, k)
		if !known {
			s.log.Info("a service was registered at another node", "service", poolName(r.Service, r.Zone), "address", r.Address, "lease", r.Lease)
		}
		changed = changed || !same
	}
	for _, r := range news.Ended {
		k := instanceKey{r.Service, r.Address}
		s.ended[k] = now
		s.endLocked(k, "it was deregistered at another node")
	}
	if changed {
		s.showLocked()
	}
}

// outlivedBy tells whether a registration that another node tells of lasts longer than what is known.
func (e *entry) outlivedBy(r Registration, now time.Time) bool {
	switch {
	case r.Lease == 0:
		return !e.until.IsZero()
	case e.until.IsZero():
		return false
	}
	return e.until.Before(now.Add(r.Lease))
}

// Registrations returns what has registered itself: here, or with all also at other nodes.
func (s *Services) Registrations(all bool) (registered []Registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, k := range s.book.keys() {
		e := s.book[k]
		if e.registered == nil || e.elsewhere && !all {
			continue
		}
		r := *e.registered
		if !e.until.IsZero() {
			if r.Lease = e.until.Sub(now); r.Lease <= 0 {
				continue
			}
		}
		registered = append(registered, r)
	}
	return registered
}

// share tells other nodes again, since some may not have heard, and forgets who has left long ago.
func (s *Services) share(now time.Time) {
	if registered := s.Registrations(false); len(registered) > 0 {
		s.tell(ServiceNews{Registered: registered, Again: true})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, at := range s.ended {
		if now.Sub(at) >= endedFor {
			delete(s.ended, k)
		}
	}
}
