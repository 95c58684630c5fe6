// Package loopback gives tests addresses to listen on.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the addresses that Addr has returned: nodes that have not begun to listen yet, and those
// that are between two lives, keep theirs.
var given sync.Map

// Addr returns an address that nobody listens on and nobody else was given. Its port is below those
// that systems give to outgoing connections, so that it is still free when a node comes back to it.
func Addr(t testing.TB) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if _, taken := given.LoadOrStore(addr, true); taken {
			continue
		}
		if lis, err := net.Listen("tcp", addr); err == nil {
			if err := lis.Close(); err != nil {
				t.Fatal(err)
			}
			return addr
		}
	}
	t.Fatal("found no free port")
	return ""
}

// Port returns the port of an address by Addr.
func Port(t testing.TB) int {
	t.Helper()
	_, port, err := net.SplitHostPort(Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
