package registry_test

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
)

func TestAdvertised(t *testing.T) {
	t.Parallel()
	listener := func(host string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(host), Port: 8083} }
	for name, test := range map[string]struct {
		listener string
		to       *conf.Registry_Advertise
		want     string
	}{
		"the listener's own":      {"10.1.2.3", nil, "10.1.2.3:8083"},
		"the loopback, if so":     {"127.0.0.1", nil, "127.0.0.1:8083"},
		"IPv6":                    {"fd00::1", nil, "[fd00::1]:8083"},
		"an IPv4 address in IPv6": {"::ffff:10.1.2.3", nil, "10.1.2.3:8083"},
		"behind NAT":              {"0.0.0.0", &conf.Registry_Advertise{Host: "203.0.113.7", ImPort: 30083}, "203.0.113.7:30083"},
		"a name":                  {"::", &conf.Registry_Advertise{Host: "node1.example.com"}, "node1.example.com:8083"},
		"IPv6 configured":         {"0.0.0.0", &conf.Registry_Advertise{Host: "2001:db8::7"}, "[2001:db8::7]:8083"},
		"a mapped port":           {"10.1.2.3", &conf.Registry_Advertise{ImPort: 9}, "10.1.2.3:9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &conf.Registry{Type: conf.RegistryEtcd, Addrs: "127.0.0.1:2379", Advertise: test.to}
			at, err := registry.Advertised(c, listener(test.listener), listener(test.listener))
			if err != nil || at.IM.String() != test.want {
				t.Errorf("got %s, %v; want %s", at.IM, err, test.want)
			}
		})
	}
}

// TestAdvertisedOfEveryInterface: a registry on this machine, such as a Consul agent, must not make the
// node known at the loopback.
func TestAdvertisedOfEveryInterface(t *testing.T) {
	t.Parallel()
	for _, unspecified := range []string{"0.0.0.0", "::"} {
		every := &net.TCPAddr{IP: net.ParseIP(unspecified), Port: 8083}
		at, err := registry.Advertised(&conf.Registry{Type: conf.RegistryConsul, Addrs: "127.0.0.1:8500"}, every, every)
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("needs a network besides the loopback; this machine is alone: %v", err)
		}
		ip, err := netip.ParseAddr(at.Gateway.Host)
		if err != nil || ip.IsUnspecified() || ip.IsLoopback() || unspecified == "0.0.0.0" && !ip.Is4() {
			t.Errorf("a node that listens on %s is advertised as %s", unspecified, at.Gateway)
		}
		if !own(t, ip) {
			t.Errorf("%s is no address of this machine", ip)
		}
	}
}

func own(t *testing.T, ip netip.Addr) bool {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip {
			return true
		}
	}
	return false
}

// TestNowhere: a node that registers nowhere needs no address, and says nothing.
func TestNowhere(t *testing.T) {
	t.Parallel()
	c := &conf.Registry{Type: conf.RegistryNone}
	n := run(t, c, 4000)
	n.stop()
	if n.status.String() != "" || n.logs.String() != "" {
		t.Errorf("status %q, logged %q", n.status.String(), n.logs.String())
	}
	if list := registry.Instances(c, registry.Addrs{}, "v1"); len(list) != 0 {
		t.Errorf("registers %v", list)
	}
}
