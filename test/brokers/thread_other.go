//go:build !linux

package brokers

import "os/exec"

// endWithThread does nothing where a process cannot be bound to a thread.
func endWithThread(*exec.Cmd) {}
