package blob

import (
	"errors"
	"os"
)

// writer is a plugin.BlobWriter. It is used by one goroutine at a time.
type writer struct {
	dir  *Dir
	name string
	file *os.File
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		return n, unavailable(err)
	}
	return n, nil
}

// Commit implements plugin.BlobWriter.
func (w *writer) Commit() error {
	if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
		return unavailable(errors.Join(err, w.remove(w.name+partial)))
	}
	if err := w.dir.root.Rename(w.name+partial, w.name); err != nil {
		return unavailable(errors.Join(err, w.remove(w.name+partial)))
	}
	if err := w.dir.sync(); err != nil {
		return unavailable(errors.Join(err, w.remove(w.name)))
	}
	return nil
}

// Discard implements plugin.BlobWriter.
func (w *writer) Discard() error {
	err := w.file.Close()
	return errors.Join(err, w.remove(w.name+partial))
}

func (w *writer) remove(name string) error { return gone(w.dir.root.Remove(name)) }
