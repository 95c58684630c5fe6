package overload

import (
	"net/netip"
	"sync"
)

// address is whom connections are counted for.
type address = netip.Addr

// ofIPv6 is the part of an address that belongs to one subscriber.
const ofIPv6 = 64

// addressOf reads host:port. What is no IP address belongs to nobody.
func addressOf(remote string) (address, bool) {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return address{}, false
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		ip = netip.PrefixFrom(ip, ofIPv6).Masked().Addr()
	}
	return ip, true
}

// addresses counts connections by address, in parts that have a lock each. The zero value is ready.
type addresses [64]struct {
	mu sync.Mutex
	of map[address]int
}

func (as *addresses) part(a address) int {
	b := a.As16()
	sum := 0
	for _, x := range b {
		sum = sum*31 + int(x)
	}
	return int(uint(sum) % uint(len(as)))
}

func (as *addresses) enter(a address, most int) bool {
	p := &as[as.part(a)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[a] >= most {
		return false
	}
	if p.of == nil {
		p.of = map[address]int{}
	}
	p.of[a]++
	return true
}

func (as *addresses) leave(a address) {
	p := &as[as.part(a)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[a]--; p.of[a] <= 0 {
		delete(p.of, a)
	}
}
