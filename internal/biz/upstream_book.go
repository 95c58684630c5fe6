package biz

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Registration is what a business service says of one of its instances.
type Registration struct {
	Service string
	Address string        // host:port
	Zone    string        // whose clients it serves; empty, with a Service: all
	Lease   time.Duration // 0: until it has been out of reach for a while
	Current bool          // see Endpoint
}

const (
	// minLease leaves room for a renewal that comes late.
	minLease = 5 * time.Second
	// maxRegistrations bounds what a service that has lost its mind can make a node remember.
	maxRegistrations = 10_000
)

// entry is why an instance is known: any of the three is enough.
type entry struct {
	static     bool
	discovered map[string]bool // by the names it was found under; the value: with TLS
	registered *Registration
	until      time.Time // of the registration; zero: no lease
	elsewhere  bool      // another node got it last
}

func (e *entry) idle() bool { return !e.static && len(e.discovered) == 0 && e.registered == nil }

// endpoint is how the instance is reached. What it has said itself counts.
func (e *entry) endpoint(address string) Endpoint {
	at := Endpoint{Address: address}
	for _, tls := range e.discovered {
		at.TLS = at.TLS || tls
	}
	if e.registered != nil {
		at.Current = e.registered.Current
	}
	return at
}

// book is what is known of instances. Not safe for concurrent use.
type book map[instanceKey]*entry

func (b book) at(k instanceKey) *entry {
	e := b[k]
	if e == nil {
		e = &entry{}
		b[k] = e
	}
	return e
}

// tidy forgets what there is no reason to know any more.
func (b book) tidy() {
	maps.DeleteFunc(b, func(_ instanceKey, e *entry) bool { return e.idle() })
}

// setStatic replaces the static instances of all services.
func (b book) setStatic(services []ServiceRules) {
	for _, e := range b {
		e.static = false
	}
	for _, s := range services {
		for _, addr := range s.Addresses {
			b.at(instanceKey{s.Name, addr}).static = true
		}
	}
	b.tidy()
}

// setDiscovered replaces the instances of a service that were found under a name.
func (b book) setDiscovered(service, name string, found []Endpoint) {
	for k, e := range b {
		if k.service == service {
			delete(e.discovered, name)
		}
	}
	for _, at := range found {
		e := b.at(instanceKey{service, at.Address})
		if e.discovered == nil {
			e.discovered = map[string]bool{}
		}
		e.discovered[name] = at.TLS
	}
	b.tidy()
}

// register notes a registration, or renews it.
func (b book) register(r Registration, now time.Time) *Error {
	k := instanceKey{r.Service, r.Address}
	if e := b[k]; (e == nil || e.registered == nil) && b.registrations() >= maxRegistrations {
		return Errorf(KindResourceLimit, "REGISTER_FAILED", "%d instances are registered, and no more are taken", maxRegistrations)
	}
	e := b.at(k)
	e.registered, e.until = &r, time.Time{}
	if r.Lease > 0 {
		e.until = now.Add(r.Lease)
	}
	return nil
}

func (b book) registrations() (n int) {
	for _, e := range b {
		if e.registered != nil {
			n++
		}
	}
	return n
}

// end ends a registration. It returns false when there was none.
func (b book) end(k instanceKey) bool {
	e := b[k]
	if e == nil || e.registered == nil {
		return false
	}
	e.registered = nil
	b.tidy()
	return true
}

// expired returns the registrations whose lease is over.
func (b book) expired(now time.Time) (over []instanceKey) {
	for k, e := range b {
		if e.registered != nil && !e.until.IsZero() && !now.Before(e.until) {
			over = append(over, k)
		}
	}
	return over
}

// withoutLease returns the registrations that do not end by time.
func (b book) withoutLease() (keys []instanceKey) {
	for k, e := range b {
		if e.registered != nil && e.until.IsZero() {
			keys = append(keys, k)
		}
	}
	return keys
}

// keys returns all instances in an order that does not depend on when they came.
func (b book) keys() []instanceKey {
	return slices.SortedFunc(maps.Keys(b), func(x, y instanceKey) int {
		return cmp.Or(cmp.Compare(x.service, y.service), cmp.Compare(x.address, y.address))
	})
}

// check tells what is wrong with a registration, and gives it the lease that it gets.
func (r *Registration) check(rules *UpstreamRules) *Error {
	if rules.Closed {
		return Errorf(KindPermissionDenied, "REGISTER_FAILED", "this node takes no registrations; upstream.registration of its configuration says so")
	}
	host, port, err := net.SplitHostPort(r.Address)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	if err != nil || notNumber != nil || host == "" || number == 0 || len(r.Address) > MaxIDBytes {
		return Errorf(KindInvalid, "INVALID_ADDRESS", "address is %s; host:port is expected, as the gateway reaches the service", quote(r.Address))
	}
	if r.Zone == "" && r.Service == "" {
		return Errorf(KindInvalid, "INVALID_ZONE_ID", "zone_id and service_name are empty; at least one is needed: %s is a zone", zoneNames(rules.Zones))
	}
	if known := slices.ContainsFunc(rules.Zones, func(z Zone) bool { return z.Name == r.Zone }); r.Zone != "" && !known {
		return Errorf(KindInvalid, "REGISTER_FAILED", "zone_id is %s; %s is allowed", quote(r.Zone), zoneNames(rules.Zones))
	}
	if !IsServiceName(r.Service) && r.Service != "" {
		return Errorf(KindInvalid, "REGISTER_FAILED", "service_name is %s; letters, digits, dots, hyphens and underscores make a name, of %d bytes at most", quote(r.Service), maxServiceName)
	}
	switch {
	case r.Lease < 0:
		return Errorf(KindInvalid, "REGISTER_FAILED", "lease_seconds is negative; 0 asks for none")
	case r.Lease > 0:
		r.Lease = min(max(r.Lease, minLease), rules.MaxLease)
	}
	return nil
}

// maxServiceName bounds a name that is a label of metrics.
const maxServiceName = 64

// IsServiceName tells whether a service may be called that.
func IsServiceName(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	return name != "" && len(name) <= maxServiceName && strings.Trim(name, allowed) == ""
}

func zoneNames(zones []Zone) string {
	names := make([]string, len(zones))
	for i, z := range zones {
		names[i] = z.Name
	}
	return "one of " + strings.Join(names, ", ")
}
