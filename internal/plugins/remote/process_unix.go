//go:build unix && !linux

package remote

import (
	"os/exec"
	"syscall"
)

// confine has the process lead a group of its own.
func confine(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
