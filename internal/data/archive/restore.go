package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/game-im/hermod/internal/data"
)

// staging is the folder that a backup is unpacked into, beside what it is to replace: only renames are
// left to do then. One that an interrupted restore has left is removed by the next.
const staging = "restoring"

// Restored is what was put back, and where what was there before is.
type Restored struct {
	Summary
	Replaced []string // folders; none when there was nothing
}

// Restore puts a backup in the place of store's data. It refuses while a node works there, and a backup
// that is damaged or of a newer schema, and then has changed nothing. The data that was there before is
// kept in folders of its own. Until the database is renamed to its place, which is the last step, the old
// one is there; a restore that was interrupted is repeated.
func Restore(ctx context.Context, from string, store Store) (r Restored, err error) {
	database, err := data.File(store.Database)
	if err != nil {
		return r, err
	}
	blobs, err := filepath.Abs(store.Blobs) // as the database's is, so that one folder has one name
	if err != nil {
		return r, err
	}
	release, err := data.Hold(store.Database)
	if errors.Is(err, data.ErrInUse) {
		return r, fmt.Errorf("%w; stop the node first", err)
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	p := places{database: database, blobs: blobs, beside: filepath.Dir(blobs), stagedDatabase: filepath.Join(filepath.Dir(database), staging)}
	if err := p.prepare(); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.clear()) }()
	if r.Summary, err = p.unpack(ctx, from); err != nil {
		return r, explain(err, p.disks(), "the backup beside what is there")
	}
	r.Replaced, err = p.swap(ctx, time.Now())
	return r, err
}

// places are where things are, and where they are unpacked.
type places struct {
	database, blobs, stagedDatabase string
	// beside is the folder from which renames lead to the recordings, and to which they lead from there: the one
	// that theirs is in or, where theirs is mounted, that itself.
	beside string
}

func (p *places) stagedBlobs() string { return filepath.Join(p.beside, staging) }

// prepare clears the staging folders, and finds out beside what the recordings are.
func (p *places) prepare() error {
	inside := filepath.Join(p.blobs, staging)
	if err := errors.Join(p.clear(), os.RemoveAll(inside)); err != nil || !exists(p.blobs) {
		return err
	}
	if err := os.Mkdir(inside, 0o700); err != nil {
		return err
	}
	err := os.Rename(inside, p.stagedBlobs())
	if errors.Is(err, syscall.EXDEV) { // also of two mounts of one file system
		p.beside = p.blobs
		return nil
	}
	return errors.Join(err, os.RemoveAll(inside))
}

func (p *places) clear() error {
	return errors.Join(os.RemoveAll(p.stagedDatabase), os.RemoveAll(p.stagedBlobs()))
}

// mounted tells whether the folder of recordings has to stay where it is, so that its files are moved one by one.
func (p *places) mounted() bool { return p.beside == p.blobs }

// disks names what may be full.
func (p *places) disks() string {
	if p.mounted() {
		return filepath.Dir(p.database) + " or " + p.blobs
	}
	return filepath.Dir(p.database)
}

// unpack reads the whole backup into the staging folders and checks it.
func (p *places) unpack(ctx context.Context, from string) (Summary, error) {
	database, blobs := filepath.Join(p.stagedDatabase, databaseName), filepath.Join(p.stagedBlobs(), blobsName)
	for _, dir := range []string{p.stagedDatabase, blobs} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Summary{}, err
		}
	}
	s, err := unpack(ctx, from, database, blobs)
	if err != nil {
		return s, fmt.Errorf("%s: %w", from, err)
	}
	if err := data.CheckFile(ctx, database); err != nil {
		return s, fmt.Errorf("%s: %w", from, err)
	}
	v, err := data.ReadVersion(ctx, data.Options{DSN: database})
	if err == nil && v.Schema != s.Schema {
		err = fmt.Errorf("the schema has version %d, and the backup says %d", v.Schema, s.Schema)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", from, err)
	}
	return s, errors.Join(syncDir(blobs), syncDir(p.stagedDatabase))
}

// swap moves what is there aside and what was unpacked to its place.
func (p *places) swap(ctx context.Context, now time.Time) (kept []string, err error) {
	suffix := "replaced-" + now.UTC().Format("20060102T150405")
	oldDatabase, oldBlobs := filepath.Join(filepath.Dir(p.database), suffix), filepath.Join(p.beside, suffix)
	if exists(p.blobs) {
		if err := os.MkdirAll(oldBlobs, 0o700); err != nil {
			return nil, err
		}
		kept = append(kept, oldBlobs)
		if err := p.move(p.blobs, filepath.Join(oldBlobs, filepath.Base(p.blobs))); err != nil {
			return kept, err
		}
	}
	if err := p.move(filepath.Join(p.stagedBlobs(), blobsName), p.blobs); err != nil {
		return kept, err
	}
	if exists(p.database) || exists(p.database+"-wal") {
		if err := p.putAside(ctx, oldDatabase); err != nil {
			return kept, err
		}
		if len(kept) == 0 || kept[0] != oldDatabase {
			kept = append(kept, oldDatabase)
		}
	}
	if err := os.Rename(filepath.Join(p.stagedDatabase, databaseName), p.database); err != nil {
		return kept, err
	}
	return kept, errors.Join(syncDir(filepath.Dir(p.database)), syncDir(filepath.Dir(p.blobs)))
}

// move moves a folder of recordings, or its files where the folder is mounted. What else is in that one stays, as lost+found does.
func (p *places) move(from, to string) error {
	if !p.mounted() {
		return os.Rename(from, to)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return syncDir(to)
}

// putAside keeps the old database in a folder. Its file stays in place as well, so that there is a database
// whenever this ends, and its log goes, which would be applied to the new one.
func (p *places) putAside(ctx context.Context, into string) error {
	// Best done by SQLite itself. A database that is damaged is moved as it is.
	settled := data.Settle(ctx, p.database)
	if err := os.MkdirAll(into, 0o700); err != nil {
		return err
	}
	name := filepath.Join(into, filepath.Base(p.database))
	if err := os.Link(p.database, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(p.database, name); err != nil { // a file system without links
			return errors.Join(err, settled)
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(p.database+suffix, name+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, settled)
		}
	}
	return syncDir(into)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
