package overload

import (
	"net/netip"
	"testing"
)

// FuzzAddressOf reads whatever may be called an address: the same one always gives the same, whatever its
// port, and counting never goes wrong.
func FuzzAddressOf(f *testing.F) {
	for _, remote := range []string{"10.0.0.1:1", "[2001:db8::1]:65535", "[::ffff:10.0.0.1]:1", "[fe80::1%eth0]:1", "@", "", ":1", "localhost:1"} {
		f.Add(remote)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		a, ok := addressOf(remote)
		if ok != a.IsValid() {
			t.Fatalf("%q: %v, %v", remote, a, ok)
		}
		if !ok {
			return
		}
		if b, ok := addressOf(netip.AddrPortFrom(a, 1).String()); !ok || a != b {
			t.Fatalf("%q is %v, and that is %v", remote, a, b)
		}
		var as addresses
		if !as.enter(a, 1) || as.enter(a, 1) {
			t.Fatalf("%q has not one place", remote)
		}
		if as.leave(a); !as.enter(a, 1) {
			t.Fatalf("%q has no place any more", remote)
		}
	})
}
