package biz

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Services is the business services behind a node: it knows their instances, finds the one that a
// request is for, and asks it. It implements Upstream. Safe for concurrent use.
type Services struct {
	caller  UpstreamCaller
	builtin Upstream
	meter   UpstreamMeter
	log     *slog.Logger
	view    atomic.Pointer[view]
	turns   atomic.Uint64
	renamed chan struct{} // see Names
	tell    func(ServiceNews)

	mu        sync.Mutex // guards what follows, and that views follow each other
	rules     UpstreamRules
	book      book
	found     map[string][]Endpoint // by name
	instances map[instanceKey]*instance
	pools     map[string]*pool
	ended     map[instanceKey]time.Time // see endedFor
}

// NewServices returns the services that the rules name. What no service is concerned with is answered
// by builtin.
func NewServices(caller UpstreamCaller, builtin Upstream, meter UpstreamMeter, rules UpstreamRules, log *slog.Logger) *Services {
	s := &Services{
		caller: caller, builtin: builtin, meter: meter, log: log, renamed: make(chan struct{}, 1),
		book: book{}, found: map[string][]Endpoint{}, instances: map[instanceKey]*instance{}, pools: map[string]*pool{},
		tell: func(ServiceNews) {}, ended: map[instanceKey]time.Time{},
	}
	s.SetRules(rules)
	return s
}

// SetRules replaces the rules, for what is asked from then on.
func (s *Services) SetRules(rules UpstreamRules) {
	if len(rules.Zones) == 0 {
		rules.Zones = StandardZones()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = rules
	s.book.setStatic(rules.Services)
	for k, e := range s.book {
		maps.DeleteFunc(e.discovered, func(name string, _ bool) bool { return !rules.discovers(k.service, name) })
	}
	s.book.tidy()
	for name, at := range s.found { // a service may look for what another one has found
		s.findLocked(name, at)
	}
	s.showLocked()
	select {
	case s.renamed <- struct{}{}:
	default: // whoever reads it has not yet looked
	}
}

// Register makes an instance known, or keeps it known, and returns the lease that it got. Whoever calls
// is trusted: services have proven themselves to the listener. Other nodes are told.
func (s *Services) Register(r Registration) (lease time.Duration, err error) {
	if err := s.register(&r); err != nil {
		return 0, err
	}
	s.tell(ServiceNews{Registered: []Registration{r}})
	return r.Lease, nil
}

// register gives the registration the lease that it gets.
func (s *Services) register(r *Registration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wrong := r.check(&s.rules); wrong != nil {
		return wrong
	}
	k := instanceKey{r.Service, r.Address}
	before := s.book[k]
	fresh := before == nil || before.registered == nil
	same := !fresh && before.registered.Zone == r.Zone && before.registered.Current == r.Current
	if wrong := s.book.register(*r, time.Now()); wrong != nil {
		return wrong
	}
	s.book[k].elsewhere = false
	delete(s.ended, k)
	if !same {
		s.showLocked()
	}
	s.instances[k].reached()
	if fresh {
		s.log.Info("a service was registered", "service", poolName(r.Service, r.Zone), "address", r.Address, "lease", r.Lease)
	}
	return nil
}

// Deregister ends a registration. That there is none is no error. Other nodes are told.
func (s *Services) Deregister(service, address string) {
	k := instanceKey{service, address}
	s.mu.Lock()
	s.ended[k] = time.Now()
	s.endLocked(k, "it was deregistered")
	s.mu.Unlock()
	s.tell(ServiceNews{Ended: []Registration{{Service: service, Address: address}}})
}

func (s *Services) endLocked(k instanceKey, why string) {
	if s.book.end(k) {
		s.log.Info("the registration of a service has ended", "service", k.service, "address", k.address, "reason", why)
		s.showLocked()
	}
}

// Found replaces the instances that a registry has under a name.
func (s *Services) Found(name string, instances []Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found[name] = instances
	s.findLocked(name, instances)
	s.showLocked()
}

func (s *Services) findLocked(name string, instances []Endpoint) {
	wanted := false
	for _, rules := range s.rules.Services {
		if s.rules.discovers(rules.Name, name) {
			s.book.setDiscovered(rules.Name, name, instances)
			wanted = true
		}
	}
	if !wanted {
		delete(s.found, name)
	}
}

// Names returns what instances are to be looked for under; changed receives a value when that may have
// become something else.
func (s *Services) Names() (names []string, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rules := range s.rules.Services {
		names = append(names, rules.Discovered...)
	}
	return names, s.renamed
}

// showLocked puts on show what the book and the rules say now. Connections to what is not there any
// more are closed.
func (s *Services) showLocked() {
	v := &view{rules: s.rules, byService: map[string][]*instance{}}
	known := make(map[instanceKey]*instance, len(s.book))
	endpoints := make([]Endpoint, 0, len(s.book))
	for _, k := range s.book.keys() {
		e := s.book[k]
		i := s.instanceLocked(k, e)
		known[k] = i
		endpoints = append(endpoints, i.endpoint)
		v.byService[k.service] = append(v.byService[k.service], i)
		if e.registered != nil {
			v.registered = append(v.registered, i)
		}
	}
	s.instances = known
	used := map[*pool]bool{}
	for _, i := range known {
		used[i.pool] = true
	}
	maps.DeleteFunc(s.pools, func(_ string, p *pool) bool { return !used[p] && p.calls.Load() == 0 })
	s.view.Store(v)
	s.caller.Keep(endpoints)
}

// instanceLocked returns an instance as an entry has it. One that has changed is another: requests may
// be looking at the old one.
func (s *Services) instanceLocked(k instanceKey, e *entry) *instance {
	zone := ""
	if e.registered != nil {
		zone = e.registered.Zone
	}
	old := s.instances[k]
	if old != nil && old.zone == zone && old.endpoint == e.endpoint(k.address) && old.rules == s.rules.Breaker {
		return old
	}
	i := &instance{instanceKey: k, zone: zone, endpoint: e.endpoint(k.address), hash: hashOf(k.address), rules: s.rules.Breaker, since: time.Now()}
	i.pool = s.poolLocked(poolName(k.service, zone))
	i.breaker = newBreaker(k.address, i.rules, func(givenUp bool) {
		if givenUp {
			s.log.Warn("an instance of a service is silent or out of reach, and is given up for the moment", "service", i.pool.name, "address", k.address)
		} else {
			s.log.Info("an instance of a service answers again", "service", i.pool.name, "address", k.address)
		}
	})
	if old != nil {
		i.since = old.since
		i.lastReached.Store(old.lastReached.Load())
	}
	return i
}

func (s *Services) poolLocked(name string) *pool {
	p := s.pools[name]
	if p == nil {
		p = &pool{name: name}
		s.pools[name] = p
	}
	return p
}
