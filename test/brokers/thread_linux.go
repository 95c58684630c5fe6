package brokers

import (
	"os/exec"
	"syscall"
)

// endWithThread has the kernel end a process with the thread that starts it.
func endWithThread(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
