package remote

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine has the process lead a group of its own, and end with the thread that starts it.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitEnd waits until the process has ended, which stays known by its id until it is waited for: so its
// group can be killed without hitting somebody else's.
func awaitEnd(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR { // an errno as it is
			return
		}
	}
}

// limit bounds what the process and each of its children may allocate between two looks at what is resident:
// twice what that may be, and a gigabyte, since not all that is allocated is used. The address space is not
// bounded, of which Go, Node.js and Java reserve more than they ever use.
func limit(pid int, memory int64) {
	most := uint64(2*memory) + 1<<30                                                 //nolint:gosec // checked to be positive
	_ = unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}, nil) // a kernel that does not have it, or a process that is gone
}

// resident returns how much memory the process and its children have.
func resident(pid int) int64 {
	id := strconv.Itoa(pid)
	has := int64(0)
	if b, err := os.ReadFile("/proc/" + id + "/statm"); err == nil {
		if fields := bytes.Fields(b); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64) // the kernel writes numbers
			has = pages * int64(os.Getpagesize())
		}
	}
	tasks, err := os.ReadDir("/proc/" + id + "/task")
	if err != nil {
		return has
	}
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/" + id + "/task/" + task.Name() + "/children")
		if err != nil {
			continue
		}
		for _, child := range bytes.Fields(b) {
			if n, err := strconv.Atoi(string(child)); err == nil {
				has += resident(n)
			}
		}
	}
	return has
}
