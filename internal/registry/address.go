package registry

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/game-im/hermod/internal/conf"
)

// Addr is where consumers connect to.
type Addr struct {
	Host string // an IP address without brackets, or a name; never one that stands for every interface
	Port int

	Secure bool // speaks TLS
}

// Advertised returns the addresses that a node registers, given where its listeners are. What the
// configuration says goes first; then a listener's own host; and for a listener on every interface,
// the address of the interface that leads to the registry, or else of the one that leads out. A node
// that registers nowhere has none.
func Advertised(c *conf.Registry, im, gateway net.Addr) (Addrs, error) {
	var at Addrs
	if c.GetType() == conf.RegistryNone {
		return at, nil
	}
	a := c.GetAdvertise()
	for _, l := range []struct {
		to       *Addr
		listener net.Addr
		port     int32
	}{{&at.IM, im, a.GetImPort()}, {&at.Gateway, gateway, a.GetGatewayPort()}} {
		addr, err := advertised(l.listener, a.GetHost(), c.Addresses())
		if err != nil {
			return Addrs{}, err
		}
		if l.port != 0 {
			addr.Port = int(l.port)
		}
		*l.to = addr
	}
	return at, nil
}

func advertised(listener net.Addr, host string, registries []string) (Addr, error) {
	own, err := netip.ParseAddrPort(listener.String())
	if err != nil {
		return Addr{}, fmt.Errorf("advertise %s: %w", listener, err)
	}
	ip := own.Addr().Unmap()
	if host == "" && ip.IsUnspecified() {
		// A listener on 0.0.0.0 cannot be reached by IPv6; one on :: by both.
		ip, err = outbound(registries, ip.Is4())
	}
	if host == "" {
		host = ip.WithZone("").String()
	}
	return Addr{Host: host, Port: int(own.Port())}, err
}

// Addresses that are documentation's: a route to them is the route to everywhere.
var somewhere = []string{"192.0.2.1:9", "[2001:db8::1]:9"}

// outbound finds this machine's address as others see it.
func outbound(registries []string, only4 bool) (netip.Addr, error) {
	usable := func(ip netip.Addr) bool { return ip.IsGlobalUnicast() && (ip.Is4() || !only4) }
	for _, to := range append(registries, somewhere...) {
		// A registry on this machine, such as a Consul agent, is reached by the loopback, and says
		// nothing.
		if ip, ok := route(to); ok && usable(ip) {
			return ip, nil
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && usable(prefix.Addr()) {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("this machine has no address that others could connect to; set registry.advertise.host")
}

// route returns the address that packets to somewhere would come from. It sends none.
func route(to string) (netip.Addr, bool) {
	conn, err := net.Dial("udp", to)
	if err != nil {
		return netip.Addr{}, false
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	own, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return own.Addr().Unmap(), err == nil
}

// String is host:port.
func (a Addr) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }
