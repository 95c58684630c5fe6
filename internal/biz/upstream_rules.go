package biz

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// UpstreamRules say which service answers what, and how services are asked. The zero rules route by
// zone alone.
type UpstreamRules struct {
	Zones    []Zone // empty: those of StandardZones
	Services []ServiceRules
	Routes   []Route // the first that matches decides
	Closed   bool    // to registrations
	// MaxConcurrent is how many requests one service may have at a time, unless its own rules say
	// otherwise.
	MaxConcurrent int
	Breaker       BreakerRules
	// Unreachable is how long an instance that registered without a lease may be out of reach before its
	// registration ends.
	Unreachable time.Duration
	// MaxLease is the longest lease that is given.
	MaxLease time.Duration
}

// BreakerRules say when an instance is given up for a while.
type BreakerRules struct {
	Failures int           // in a row, of calls that found it silent or out of reach
	OpenFor  time.Duration // before one call tries it again
}

// ServiceRules are those of one service.
type ServiceRules struct {
	Name       string
	Addresses  []string // of its static instances, host:port
	Discovered []string // names to find instances under
	// ByHash chooses the instance by the openid, so that a client stays with one as long as it is there;
	// otherwise the one with the fewest calls is asked.
	ByHash        bool
	Idempotent    []string      // actions that may be asked again when nothing is known of the first time
	Timeout       time.Duration // of one call; 0: the request's own
	MaxConcurrent int           // 0: that of all
}

// Route leads requests to a service. What is empty matches everything.
type Route struct {
	Action  string   // what the action begins with
	Zones   []string // one of which the openid or the session belongs to
	Header  string   // the name of a header that is there,
	Value   string   // and has this value; empty: any
	Service string
}

// Zone is a range of openids that are numbers.
type Zone struct {
	Name     string
	From, To uint64 // both belong to it
}

// StandardZones are six zones of 15,000 openids each.
func StandardZones() []Zone {
	const first, size = 10_000, 15_000
	zones := make([]Zone, 6)
	for i := range zones {
		from := first + uint64(i)*size
		zones[i] = Zone{Name: "00" + strconv.Itoa(i+1), From: from, To: from + size - 1}
	}
	return zones
}

// zoneOf returns the zone of an openid, empty when it is in none.
func zoneOf(zones []Zone, user UserID) string {
	n, err := strconv.ParseUint(string(user), 10, 64)
	if err != nil {
		return ""
	}
	for _, z := range zones {
		if z.From <= n && n <= z.To {
			return z.Name
		}
	}
	return ""
}

// zonesOf returns the zones of a request, the openid's own before that of the session.
func (u *UpstreamRules) zonesOf(r *UpstreamRequest) []string {
	zones := make([]string, 0, 2)
	if own := zoneOf(u.Zones, r.Identity.User); own != "" {
		zones = append(zones, own)
	}
	if r.Zone != "" && !slices.Contains(zones, r.Zone) {
		zones = append(zones, r.Zone)
	}
	return zones
}

// route returns the service that the rules name for a request; ok is false when none of them does.
func (u *UpstreamRules) route(r *UpstreamRequest, zones []string) (service string, ok bool) {
	for _, route := range u.Routes {
		if route.matches(r, zones) {
			return route.Service, true
		}
	}
	return "", false
}

func (t Route) matches(r *UpstreamRequest, zones []string) bool {
	if !strings.HasPrefix(r.Action, t.Action) {
		return false
	}
	if len(t.Zones) > 0 && !slices.ContainsFunc(t.Zones, func(z string) bool { return slices.Contains(zones, z) }) {
		return false
	}
	if t.Header == "" {
		return true
	}
	value, there := r.Headers[t.Header]
	return there && (t.Value == "" || value == t.Value)
}

// service returns the rules of a service, the general ones when it has none of its own.
func (u *UpstreamRules) service(name string) ServiceRules {
	rules := ServiceRules{Name: name}
	if i := slices.IndexFunc(u.Services, func(s ServiceRules) bool { return s.Name == name }); i >= 0 {
		rules = u.Services[i]
	}
	if rules.MaxConcurrent == 0 {
		rules.MaxConcurrent = u.MaxConcurrent
	}
	return rules
}

// discovers tells whether instances of a service are looked for under a name.
func (u *UpstreamRules) discovers(service, name string) bool {
	return slices.Contains(u.service(service).Discovered, name)
}
