// Package loopback gives tests addresses to listen on that stay theirs: a server that is killed finds its port free when
// it is started again.
//
// Outgoing connections do not take it, since systems give them ports from 32768 on. Other test processes do not, since
// ports are given in blocks: whose a block is, listens on the first port of it for as long as it runs.
package loopback

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

const (
	lowest, highest = 10_000, 30_000
	blockSize       = 20
)

// ports are those of this process.
var ports = struct {
	sync.Mutex
	blocks []int                // the first ports of those that are held, in the order in which they came
	held   map[int]net.Listener // by the first port
	given  map[int]bool
}{held: make(map[int]net.Listener), given: make(map[int]bool)}

// Addr returns an address that nobody listens on and nobody else is given.
func Addr(t testing.TB) string {
	t.Helper()
	return at(Port(t))
}

// FreeAddr is Addr for who has no test at hand.
func FreeAddr() (string, error) {
	port, err := find(nil)
	return at(port), err
}

// Port returns the port of such an address; those at the given distances from it are given with it.
func Port(t testing.TB, distances ...int) int {
	t.Helper()
	port, err := find(distances)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Listen listens on such an address, which whoever closes the listener may come back to.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	return lis
}

func find(distances []int) (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for _, first := range ports.blocks { // of which taking may hold more, for the next time
		for port := max(first+1, lowest); port < min(first+blockSize, highest); port++ {
			if take(port, distances) {
				return port, nil
			}
		}
	}
	for range 1000 {
		if port := lowest + rand.IntN(highest-lowest); take(port, distances) {
			return port, nil
		}
	}
	return 0, errors.New("found no free port")
}

// take takes all of the ports, or none.
func take(port int, distances []int) bool {
	distances = append([]int{0}, distances...)
	for _, usable := range []func(int) bool{spare, hold, free} { // the cheap ones first
		for _, d := range distances {
			if !usable(port + d) {
				return false
			}
		}
	}
	for _, d := range distances {
		ports.given[port+d] = true
	}
	return true
}

// spare tells whether the port is to be given and was not.
func spare(port int) bool { return port%blockSize != 0 && !ports.given[port] }

// hold tells whether the port is of a block of this process, after it has tried to make it one.
func hold(port int) bool {
	first := port / blockSize * blockSize
	if ports.held[first] != nil {
		return true
	}
	lis, err := net.Listen("tcp", at(first))
	if err != nil {
		return false
	}
	ports.held[first], ports.blocks = lis, append(ports.blocks, first)
	return true
}

// free tells whether nobody listens on the port, who might be no test.
func free(port int) bool {
	lis, err := net.Listen("tcp", at(port))
	return err == nil && lis.Close() == nil
}

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
