package auditlog

import (
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"
)

// fileKeys are what is said of the file.
type fileKeys struct {
	name                      string
	maxMiB, maxFiles, maxDays int
	compress                  bool
}

// files are what values of the plugin write: two with the same file write it through one, that rotates it.
type files struct {
	mu   sync.Mutex
	open map[fileKeys]*file
}

type file struct {
	*lumberjack.Logger
	users int
}

func (f *files) take(k fileKeys) *file {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.open[k]
	if one == nil {
		one = &file{Logger: &lumberjack.Logger{
			Filename: k.name, MaxSize: k.maxMiB, MaxBackups: k.maxFiles, MaxAge: k.maxDays, Compress: k.compress,
		}}
		f.open[k] = one
	}
	one.users++
	return one
}

// leave closes a file that nobody writes any more.
func (f *files) leave(k fileKeys) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.open[k]
	if one == nil {
		return nil // it was left already
	}
	if one.users--; one.users > 0 {
		return nil
	}
	delete(f.open, k)
	return one.Close()
}
