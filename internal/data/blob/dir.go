// Package blob keeps recordings: Dir as files in a folder, S3 as objects of a bucket. Both are plugins, which
// pass plugintest.BlobStore, and are safe for concurrent use.
//
// A file is written beside its place under a name of its own, forced to the disk, and then renamed, so
// that what can be opened is whole and stays. An object appears when its last part has come.
//
// gocloud.dev has both behind one API and is not used: its fileblob does not force files to the disk, and
// neither half says what a crash has left behind, which Each has to sweep.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/game-im/hermod/plugin"
)

const (
	// partial ends the names of files that are being written. No name of a blob has a dot.
	partial = ".part"
	// maxName leaves room for the ending in what file systems take.
	maxName = 128
	// listed is how many files Each reads the names of at a time.
	listed = 256
)

// Dir is a plugin.BlobStore in a folder, which nodes may share.
type Dir struct {
	root *os.Root
	log  *slog.Logger
}

// Open opens the store in a folder, which is made where there is none.
func Open(path string, log *slog.Logger) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	return &Dir{root, log}, nil
}

// Close ends the use of the folder. Blobs that are open stay so.
func (d *Dir) Close() error { return d.root.Close() }

// Create implements plugin.BlobStore.
func (d *Dir) Create(ctx context.Context, name string) (plugin.BlobWriter, error) {
	if !valid(name) {
		return nil, fmt.Errorf("blobs: %q cannot be a name", name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Two writers of one name are two uploads with one id: the second must not write into the first.
	f, err := d.root.OpenFile(name+partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, unavailable(err)
	}
	return &writer{dir: d, name: name, file: f}, nil
}

// Open implements plugin.BlobStore.
func (d *Dir) Open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !valid(name) {
		return nil, notFound(name)
	}
	f, err := d.root.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, notFound(name)
	case err != nil:
		return nil, unavailable(err)
	}
	return f, nil
}

// Delete implements plugin.BlobStore.
func (d *Dir) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !valid(name) {
		return nil
	}
	if err := gone(d.root.Remove(name)); err != nil {
		return unavailable(err)
	}
	return nil
}

// Each implements plugin.BlobStore. A file that is being written may be another node's, so that its age alone
// tells that it was abandoned.
func (d *Dir) Each(ctx context.Context, before time.Time, f func(name string) error) error {
	removed := 0
	err := d.files(func(file fs.DirEntry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, unfinished := strings.CutSuffix(file.Name(), partial)
		if !valid(name) || !file.Type().IsRegular() {
			return nil
		}
		switch old, err := older(file, before); {
		case err != nil || !old:
			return err
		case unfinished:
			removed++
			return gone(d.root.Remove(file.Name()))
		}
		return f(name)
	})
	if removed > 0 {
		d.log.InfoContext(ctx, "uploads that a node left unfinished are removed", "uploads", removed)
	}
	return err
}

// older tells whether a file was last written to before a time. One that is gone is not.
func older(file fs.DirEntry, before time.Time) (bool, error) {
	info, err := file.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, unavailable(err)
	}
	return info.ModTime().Before(before), nil
}

// files calls f for everything in the folder, a part at a time, since there may be very many.
func (d *Dir) files(f func(fs.DirEntry) error) error {
	dir, err := d.root.Open(".")
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = dir.Close() }() // it was only read
	for {
		part, err := dir.ReadDir(listed)
		for _, file := range part {
			if err := f(file); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return unavailable(err)
		}
	}
}

// sync makes names last: without it a crash of the machine may forget a rename.
func (d *Dir) sync() error {
	dir, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// valid tells whether a name is letters, digits and dashes, and so leads nowhere but here.
func valid(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// gone takes a file that was not there for one that was removed.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func notFound(name string) error { return fmt.Errorf("there is no blob %q: %w", name, fs.ErrNotExist) }

func unavailable(cause error) error { return plugin.Unavailable("the store cannot do it now", cause) }
