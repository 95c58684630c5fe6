package e2e

import (
	"testing"
	"time"

	"github.com/game-im/hermod/test/loopback"
	"github.com/game-im/hermod/test/process"
)

const (
	// patience is how long a test waits for something that must happen.
	patience  = process.Patience
	pollEvery = 5 * time.Millisecond
)

// Node is one hermod process, and what clients and services of these tests do with it.
type Node struct {
	*process.Node
	t *testing.T
}

// Start starts a node with the given configuration in YAML on top of the defaults, and returns once
// it is ready. It is stopped, and must stop cleanly, when the test ends.
func Start(t *testing.T, yaml string, args ...string) *Node {
	t.Helper()
	n := Prepare(t, yaml, args...)
	n.Boot()
	return n
}

// Prepare is Start without starting.
func Prepare(t *testing.T, yaml string, args ...string) *Node {
	t.Helper()
	return &Node{Node: process.Prepare(t, yaml, args...), t: t}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	return loopback.Addr(t)
}

// eventually waits until ok, which is asked again and again.
func (n *Node) eventually(what string, ok func() bool) {
	n.t.Helper()
	eventually(n.t, what, ok)
}

// within is eventually for what may take longer.
func (n *Node) within(most time.Duration, what string, ok func() bool) {
	n.t.Helper()
	eventuallyWithin(n.t, most, what, ok)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	eventuallyWithin(t, patience, what, ok)
}

func eventuallyWithin(t *testing.T, most time.Duration, what string, ok func() bool) {
	t.Helper()
	process.Eventually(t, most, what, ok)
}
