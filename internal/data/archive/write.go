package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/game-im/hermod/internal/data"
)

// Store is where a node keeps its data.
type Store struct {
	Database data.Options // of SQLite
	Blobs    string       // the folder of recordings; it may be absent where there are none
	// Bucket names the place where recordings are if that is no folder. Those are neither copied nor put back.
	Bucket string
}

// Write makes a backup of store, which a node may be using, as the file to, which must not exist. version
// is of the program that makes it. An error leaves no file. Beside the file there has to be room for the
// database once more while it is written.
func Write(ctx context.Context, store Store, to, version string) (Summary, error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s exists; a backup overwrites nothing", to)
		}
		return Summary{}, err
	}
	work, err := os.MkdirTemp(filepath.Dir(to), "."+filepath.Base(to)+".part-")
	if err != nil {
		return Summary{}, err
	}
	s, err := write(ctx, store, work, to, version)
	if err != nil {
		err = explain(err, filepath.Dir(to), "the database twice, while the backup is made, and for the recordings")
	}
	return s, errors.Join(err, os.RemoveAll(work))
}

func write(ctx context.Context, store Store, work, to, version string) (Summary, error) {
	s := Summary{Manifest: Manifest{Format: format, Made: time.Now().UTC().Truncate(time.Second), Version: version, Bucket: store.Bucket}}
	database := filepath.Join(work, databaseName)
	var err error
	if s.Schema, err = data.CopyFile(ctx, store.Database, database); err != nil {
		return s, fmt.Errorf("copy the database: %w", err)
	}
	partial := filepath.Join(work, "tar")
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return s, err
	}
	w := &writer{ctx: ctx, tar: tar.NewWriter(f), made: s.Made}
	err = w.all(&s, database, store.Blobs)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return s, err
	}
	// A link, unlike a rename, does not replace what has come there meanwhile.
	if err := os.Link(partial, to); errors.Is(err, fs.ErrExist) {
		return s, fmt.Errorf("%s exists; a backup overwrites nothing", to)
	} else if err != nil {
		if err := os.Rename(partial, to); err != nil {
			return s, err
		}
	}
	return s, syncDir(filepath.Dir(to))
}

// writer fills a tar file and remembers the sums.
type writer struct {
	ctx  context.Context //nolint:containedctx // of the one call that it lives in
	tar  *tar.Writer
	made time.Time
	sums []byte
}

func (w *writer) all(s *Summary, database, blobs string) error {
	manifest, err := json.MarshalIndent(s.Manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := w.text(manifestName, append(manifest, '\n')); err != nil {
		return err
	}
	if s.Database, err = w.file(databaseName, database); err != nil {
		return err
	}
	if err := w.recordings(s, database, blobs); err != nil {
		return err
	}
	if err := os.Remove(database); err != nil {
		return err
	}
	return errors.Join(w.text(sumsName, w.sums), w.tar.Close())
}

func (w *writer) recordings(s *Summary, database, blobs string) error {
	if s.Bucket != "" {
		return nil
	}
	return data.EachRecording(w.ctx, database, func(id string) error {
		if !valid(id) {
			return fmt.Errorf("the database names a recording %q, which cannot be a file", id)
		}
		n, err := w.file(blobsName+id, filepath.Join(blobs, id))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Gone++
			// A node makes the folder when it starts: without it nothing was deleted, and all is elsewhere.
			if _, err := os.Stat(blobs); err != nil {
				return fmt.Errorf("the database names recordings, and their folder cannot be read: %w", err)
			}
			return nil
		case err != nil:
			return err
		}
		s.Recordings++
		s.Bytes += n
		return nil
	})
}

func (w *writer) text(name string, content []byte) error {
	if err := w.tar.WriteHeader(w.header(name, int64(len(content)))); err != nil {
		return err
	}
	_, err := w.tar.Write(content)
	w.note(name, sha256.Sum256(content))
	return err
}

// file adds a file and tells how large it is.
func (w *writer) file(name, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if err := w.tar.WriteHeader(w.header(name, info.Size())); err != nil {
		return 0, err
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w.tar, h), &reader{w.ctx, f}); err != nil {
		return 0, err
	}
	w.note(name, [sha256.Size]byte(h.Sum(nil)))
	return info.Size(), nil
}

func (w *writer) header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.made}
}

func (w *writer) note(name string, sum [sha256.Size]byte) {
	w.sums = fmt.Appendf(w.sums, "%x  %s\n", sum, name)
}

// reader ends with its context.
type reader struct {
	ctx context.Context //nolint:containedctx // of the one call that it lives in
	io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// explain says where there is no room and how much is needed, since the database's own words do not.
func explain(err error, dir, needed string) error {
	if errors.Is(err, syscall.ENOSPC) || data.IsFull(err) {
		return fmt.Errorf("the disk of %s is full, and nothing was left there; needed is room for %s: %w", dir, needed, err)
	}
	return err
}
