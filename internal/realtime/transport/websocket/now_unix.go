//go:build unix

package websocket

import (
	"errors"
	"syscall"
)

// canTry tells that the system reads and writes without waiting.
const canTry = true

// readNow reads what is there; later means that nothing is.
func readNow(fd uintptr, p []byte) (n int, later bool, err error) {
	return tried(func() (int, error) { return syscall.Read(int(fd), p) })
}

// writeNow writes what there is room for; later means that there is none.
func writeNow(fd uintptr, p []byte) (n int, later bool, err error) {
	return tried(func() (int, error) { return syscall.Write(int(fd), p) })
}

func tried(call func() (int, error)) (n int, later bool, err error) {
	for {
		n, err = call()
		switch {
		case err == nil:
			return n, false, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, true, nil
		default:
			return 0, false, err
		}
	}
}
