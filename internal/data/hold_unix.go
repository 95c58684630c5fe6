//go:build linux || darwin

package data

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// hold locks a file, which is made and stays.
func hold(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(ErrInUse, f.Close())
	case err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOSYS): // some network file systems
		return nil, errors.Join(err, f.Close())
	}
	return sync.OnceValue(f.Close), nil
}
