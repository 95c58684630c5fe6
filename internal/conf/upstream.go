package conf

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// The values of upstream.services[].balance.
const (
	BalanceLeastBusy = "least_busy"
	BalanceHash      = "hash"
)

// discoveryScheme is how a target says that instances are found in the registry.
const discoveryScheme = "discovery:///"

// Range returns the first and the last openid of a zone.
func (z *Upstream_Zone) Range() (from, to uint64, err error) {
	first, last, found := strings.Cut(z.GetOpenids(), "-")
	from, err = strconv.ParseUint(strings.TrimSpace(first), 10, 64)
	if err == nil {
		to, err = strconv.ParseUint(strings.TrimSpace(last), 10, 64)
	}
	if err != nil || !found || from > to {
		return 0, 0, fmt.Errorf("is %q; two numbers with a hyphen between them are expected, like 10000-24999", z.GetOpenids())
	}
	return from, to, nil
}

// Split returns the targets that are addresses, and the names to find instances under.
func (s *Upstream_Service) Split() (addrs, names []string) {
	for _, t := range s.GetTargets() {
		if name, found := strings.CutPrefix(t, discoveryScheme); found {
			names = append(names, name)
		} else {
			addrs = append(addrs, t)
		}
	}
	return addrs, names
}

// HeaderValue returns the header that a route asks for; an empty value means any.
func (r *Upstream_Route) HeaderValue() (name, value string) {
	name, value, _ = strings.Cut(r.GetHeader(), "=")
	return strings.TrimSpace(name), strings.TrimSpace(value)
}

func checkUpstream(u *Upstream, registryType string, ps *Problems) {
	zones := checkZones(u.GetZones(), ps)
	led := map[string]bool{}
	for i, r := range u.GetRoutes() {
		at := indexed("upstream.routes", i)
		checkServiceName(at+".service", r.GetService(), ps)
		led[r.GetService()] = true
		for k, z := range r.GetZones() {
			if !zones[z] {
				ps.add(indexed(at+".zones", k), "%q is no zone; %s", z, zonesAllowed(u.GetZones()))
			}
		}
		if name, _ := r.HeaderValue(); r.GetHeader() != "" && name == "" {
			ps.add(at+".header", "is %q; write name=value, or a name alone", r.GetHeader())
		}
	}
	seen := map[string]bool{}
	for i, s := range u.GetServices() {
		at := indexed("upstream.services", i)
		checkServiceName(at+".name", s.GetName(), ps)
		if seen[s.GetName()] {
			ps.add(at+".name", "%q is the name of an earlier service already", s.GetName())
		}
		seen[s.GetName()] = true
		if len(s.GetTargets()) > 0 && !led[s.GetName()] {
			ps.add(at+".targets", "no route leads to %q; add one to upstream.routes", s.GetName())
		}
		if b := s.GetBalance(); b != "" && b != BalanceLeastBusy && b != BalanceHash {
			ps.add(at+".balance", "%q is not known; one of %s, %s", b, BalanceLeastBusy, BalanceHash)
		}
		checkTargets(at+".targets", s.GetTargets(), registryType, ps)
	}
	checkUpstreamTLS(u.GetTls(), ps)
}

// checkZones returns the names of the zones.
func checkZones(zones []*Upstream_Zone, ps *Problems) map[string]bool {
	names := map[string]bool{}
	if len(zones) == 0 {
		for i := range 6 {
			names["00"+strconv.Itoa(i+1)] = true
		}
		return names
	}
	type taken struct {
		from, to uint64
		name     string
	}
	var ranges []taken
	for i, z := range zones {
		at := indexed("upstream.zones", i)
		if z.GetName() == "" || len(z.GetName()) > 64 || strings.ContainsAny(z.GetName(), " \t\r\n/,") {
			ps.add(at+".name", "is %q; a name without spaces, commas and slashes is expected, of 64 bytes at most", z.GetName())
		}
		names[z.GetName()] = true
		from, to, err := z.Range()
		if err != nil {
			ps.add(at+".openids", "%v", err)
			continue
		}
		for _, r := range ranges {
			if from <= r.to && r.from <= to {
				ps.add(at+".openids", "%q overlaps the range of zone %q", z.GetOpenids(), r.name)
			}
		}
		ranges = append(ranges, taken{from, to, z.GetName()})
	}
	return names
}

func zonesAllowed(zones []*Upstream_Zone) string {
	if len(zones) == 0 {
		return "001 to 006 are, unless upstream.zones says otherwise"
	}
	names := make([]string, len(zones))
	for i, z := range zones {
		names[i] = z.GetName()
	}
	return "upstream.zones has " + strings.Join(names, ", ")
}

func checkServiceName(at, name string, ps *Problems) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if name == "" || len(name) > 64 || strings.Trim(name, allowed) != "" {
		ps.add(at, "is %q; letters, digits, dots, hyphens and underscores make a name, of 64 bytes at most", name)
	}
}

func checkTargets(at string, targets []string, registryType string, ps *Problems) {
	seen := map[string]bool{}
	for i, t := range targets {
		at := indexed(at, i)
		if seen[t] {
			ps.add(at, "%q is there twice", t)
		}
		seen[t] = true
		if name, found := strings.CutPrefix(t, discoveryScheme); found {
			switch {
			case name == "" || strings.ContainsAny(name, "/ \t"):
				ps.add(at, "is %q; the name of a service is expected after %s", t, discoveryScheme)
			case registryType == RegistryNone:
				ps.add(at, "%q is found in a registry, and registry.type is none", t)
			}
			continue
		}
		if u, err := url.Parse(t); err == nil && u.Host != "" {
			ps.add(at, "is %q; write host:port without a scheme, or discovery:///name", t)
			continue
		}
		if host, port, err := splitAddr(t); err != nil || host == "" || port == 0 {
			ps.add(at, "is %q; host:port or discovery:///name is expected", t)
		}
	}
}

func checkUpstreamTLS(t *Upstream_TLS, ps *Problems) {
	if (t.GetCertFile() == "") != (t.GetKeyFile() == "") {
		ps.add("upstream.tls.cert_file", "cert_file and key_file are given together, or neither")
	}
	for _, f := range []struct{ key, name string }{
		{"upstream.tls.ca_file", t.GetCaFile()}, {"upstream.tls.cert_file", t.GetCertFile()}, {"upstream.tls.key_file", t.GetKeyFile()},
	} {
		if f.name == "" {
			continue
		}
		if _, err := os.ReadFile(f.name); err != nil {
			ps.add(f.key, "%s: %v", f.name, readError(err))
		}
	}
}
