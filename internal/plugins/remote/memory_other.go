//go:build !linux

package remote

import "os/exec"

// Here nobody looks at the memory of processes.
func limit(int, int64) {}

func resident(int) int64 { return 0 }

func awaitEnd(cmd *exec.Cmd) { _ = cmd.Wait() } // it is waited for again, with the same answer
