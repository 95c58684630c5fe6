//go:build linux || darwin

package doctor

import "syscall"

// availableBytes is what users without privileges may still write.
func availableBytes(dir string) (free uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}

// maxFiles is how many files a process like this one may have open. Go raises the soft limit to the
// hard one for every program, the node included.
func maxFiles() (most uint64, known bool) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, false
	}
	return l.Max, true
}
