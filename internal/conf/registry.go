package conf

import (
	"net/netip"
	"strings"
	"time"
)

// The values of registry.type.
const (
	RegistryNone   = "none"
	RegistryNacos  = "nacos"
	RegistryEtcd   = "etcd"
	RegistryConsul = "consul"
)

// RegistryLeave is how much of server.stop.timeout belongs to deregistering. A registry that hangs gets
// no more of it.
const RegistryLeave = 3 * time.Second

// Addresses returns the host:port pairs of registry.addrs.
func (r *Registry) Addresses() []string {
	return CommaList(r.GetAddrs())
}

// Shipped tells whether the registry is one of those that are in the list above.
func (r *Registry) Shipped() bool {
	return r.GetType() == RegistryNacos || r.GetType() == RegistryEtcd || r.GetType() == RegistryConsul
}

// CommaList returns what stands between the commas of a text.
func CommaList(text string) []string {
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func checkRegistry(r *Registry, mode string, ps *Problems) {
	if r.GetType() == RegistryNone || limits["hermod.conf.Registry.type"].checkWord(r.GetType()) != "" {
		return // nothing of it is read, or the type was reported already
	}
	if mode == ModeDev {
		ps.add("registry.type", "%s makes the node known to other machines, and auth.mode dev believes every caller; "+
			"set auth.mode to jwt (tokens) or trusted (private networks)", r.GetType())
	}
	checkRegistryAddrs(r, ps)
	checkRegistryKind(r, ps)
	checkClientTLS("registry.tls", r.GetTls(), ps)
	checkRegistryNames(r.GetNames(), ps)
	checkMetadata(r.GetMetadata(), ps)
	checkAdvertised(r.GetAdvertise().GetHost(), ps)
}

func checkRegistryAddrs(r *Registry, ps *Problems) {
	const path = "registry.addrs"
	addrs := r.Addresses()
	switch {
	case len(addrs) == 0 && r.Shipped():
		ps.add(path, "is empty; registry.type %s needs host:port, several with commas between them (HERMOD_REGISTRY_ADDR sets it)", r.GetType())
	case len(addrs) > 1 && r.GetType() == RegistryConsul:
		ps.add(path, "has %d addresses; a node registers with one Consul agent, usually the one of its machine", len(addrs))
	}
	checkReachable(path, addrs, ps)
}

// checkRegistryKind refuses what the kind of registry has no use for: to ignore it would leave nodes
// where nobody looks for them.
func checkRegistryKind(r *Registry, ps *Problems) {
	if !r.Shipped() { // what it has a use for is its own affair
		return
	}
	for _, only := range []struct {
		key, value string
		kinds      []string
	}{
		{"registry.group", r.GetGroup(), []string{RegistryNacos}},
		{"registry.cluster", r.GetCluster(), []string{RegistryNacos}},
		{"registry.token", r.GetToken(), []string{RegistryConsul}},
		{"registry.username", r.GetUsername(), []string{RegistryNacos, RegistryEtcd}},
		{"registry.password", r.GetPassword(), []string{RegistryNacos, RegistryEtcd}},
	} {
		known := strings.Join(only.kinds, " and ")
		if only.value != "" && !strings.Contains(known, r.GetType()) {
			ps.add(only.key, "belongs to %s; registry.type is %s", known, r.GetType())
		}
	}
}

func checkRegistryNames(n *Registry_Names, ps *Problems) {
	for _, name := range []struct{ key, value string }{{"registry.names.im", n.GetIm()}, {"registry.names.gateway", n.GetGateway()}} {
		const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
		if name.value == "" || strings.Trim(name.value, allowed) != "" {
			ps.add(name.key, "is %q; letters, digits, dots, hyphens and underscores make a name", name.value)
		}
	}
	// Each is registered with .grpc, or with TLS .grpcs, behind it as well.
	im, gateway := n.GetIm(), n.GetGateway()
	for _, behind := range []string{"", ".grpc", ".grpcs"} {
		if im+behind == gateway || gateway+behind == im {
			ps.add("registry.names.gateway", "%q is taken by registry.names.im already", gateway)
		}
	}
}

// ownMetadata is what the node says of itself.
const ownMetadata = " kind version weight zone "

func checkMetadata(entries []*Registry_Entry, ps *Problems) {
	seen := map[string]bool{}
	for i, e := range entries {
		at := indexed("registry.metadata", i) + ".name"
		switch name := e.GetName(); {
		case name == "" || strings.ContainsAny(name, " \t\r\n"):
			ps.add(at, "is %q; a name without spaces is expected", name)
		case strings.Contains(ownMetadata, " "+name+" "):
			ps.add(at, "%q is set by the node itself", name)
		case seen[name]:
			ps.add(at, "%q is the name of an earlier entry already", name)
		}
		seen[e.GetName()] = true
	}
}

func checkAdvertised(host string, ps *Problems) {
	const path = "registry.advertise.host"
	if host == "" {
		return
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsUnspecified() || ip.IsMulticast()) {
		ps.add(path, "%q is not the address of one machine", host)
	} else if !isHost(host) {
		ps.add(path, "is %q; write an IP address without brackets or port, or a name", host)
	}
}
