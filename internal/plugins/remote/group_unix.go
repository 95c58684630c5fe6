//go:build unix

package remote

import "syscall"

// terminateGroup asks a process and its children to end. It is no error that they have.
func terminateGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGTERM) } // see above

// killGroup ends a process and its children.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // see terminateGroup
