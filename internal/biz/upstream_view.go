package biz

import "slices"

// view is what requests see of the services: rules and instances at one moment. It does not change.
type view struct {
	rules      UpstreamRules
	byService  map[string][]*instance // in order of their addresses
	registered []*instance
}

// destination is where a request goes.
type destination struct {
	service string // for people: of a route, or that of the pool
	among   []*instance
	choice  choice
}

// destination returns where a request goes; ok is false when no rule and no registration is concerned
// with it. A turn is a number that no other request has.
func (v *view) destination(r *UpstreamRequest, turn uint64) (to destination, ok bool) {
	zones := v.rules.zonesOf(r)
	if service, ok := v.rules.route(r, zones); ok {
		choice := choice{leastBusy: true, key: turn}
		if v.rules.service(service).ByHash {
			choice = byUser(r)
		}
		return destination{service, inZone(v.byService[service], zones), choice}, true
	}
	among := inZone(v.registered, zones)
	if len(among) == 0 {
		return destination{}, false
	}
	// Nobody has said how to choose. A client that stays with one instance suits those that keep
	// something about him, and the others do not mind.
	to = destination{among: among, choice: byUser(r)}
	to.service = to.choice.best(among, nil).pool.name
	return to, true
}

func byUser(r *UpstreamRequest) choice { return choice{key: hashOf(string(r.Identity.User))} }

// inZone returns the instances that serve one of the zones, the first that any does; without one those
// that serve all, and without such a one any.
func inZone(all []*instance, zones []string) []*instance {
	for _, zone := range append(slices.Clip(zones), "") {
		if some := ofZone(all, zone); len(some) > 0 {
			return some
		}
	}
	return all
}

func ofZone(all []*instance, zone string) []*instance {
	if !slices.ContainsFunc(all, func(i *instance) bool { return i.zone != zone }) {
		return all
	}
	var some []*instance
	for _, i := range all {
		if i.zone == zone {
			some = append(some, i)
		}
	}
	return some
}
