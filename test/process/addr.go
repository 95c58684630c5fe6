package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// given are the addresses that FreeAddr has returned: nodes that have not begun to listen yet, and those
// that are between two lives, keep theirs.
var given sync.Map

// FreeAddr returns an address that nobody listens on and nobody else was given. Its port is below those
// that systems give to outgoing connections, so that it is still free when a node comes back to it.
func FreeAddr(t testing.TB) string {
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
