package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/game-im/hermod/internal/data"
)

// mostText bounds the manifest, and a line for each recording in the sums.
const (
	mostManifest = 1 << 20
	mostSums     = 1 << 30
)

var errCut = errors.New("it is cut off or damaged")

// unpack writes the parts of a backup to their places and compares their sums.
func unpack(ctx context.Context, from, database, blobs string) (Summary, error) {
	f, err := os.Open(from)
	if err != nil {
		return Summary{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	u := &unpacker{tar: tar.NewReader(&reader{ctx, f}), database: database, blobs: blobs}
	if err := u.manifest(); err != nil {
		return u.Summary, err
	}
	for !u.checked {
		if err := u.next(); err != nil {
			return u.Summary, err
		}
	}
	if u.Database == 0 {
		return u.Summary, errors.New("there is no database in it")
	}
	return u.Summary, nil
}

type unpacker struct {
	Summary
	tar             *tar.Reader
	database, blobs string
	sums            []byte
	checked         bool
}

// header is that of the next part.
func (u *unpacker) header() (*tar.Header, error) {
	h, err := u.tar.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, tar.ErrHeader):
		return nil, errCut
	case err != nil:
		return nil, err
	case h.Typeflag != tar.TypeReg:
		return nil, fmt.Errorf("%q in it is no file", h.Name)
	}
	return h, nil
}

// manifest refuses what this program does not understand before anything is written.
func (u *unpacker) manifest() error {
	h, err := u.header()
	if errors.Is(err, errCut) || err == nil && h.Name != manifestName {
		return errors.New("it is no backup of Hermod")
	}
	if err != nil {
		return err
	}
	text, err := u.text(h, mostManifest)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &u.Manifest); err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	known, err := data.KnownSchema()
	switch {
	case err != nil:
		return err
	case u.Format != format:
		return fmt.Errorf("it has format %d and this program knows %d", u.Format, format)
	case u.Schema > known:
		return fmt.Errorf("its schema has version %d and this program knows %d: it was written by a newer node", u.Schema, known)
	}
	u.note(manifestName, sha256.Sum256(text))
	return nil
}

func (u *unpacker) next() error {
	h, err := u.header()
	if err != nil {
		return err
	}
	id, isBlob := strings.CutPrefix(h.Name, blobsName)
	switch {
	case h.Name == sumsName:
		sums, err := u.text(h, mostSums)
		if err == nil && !bytes.Equal(sums, u.sums) {
			err = fmt.Errorf("%w: the sums do not agree", errCut)
		}
		u.checked = true
		return err
	case h.Name == databaseName && u.Database == 0:
		u.Database, err = u.file(h, u.database)
		return err
	case isBlob && valid(id):
		n, err := u.file(h, filepath.Join(u.blobs, id))
		u.Recordings++
		u.Bytes += n
		return err
	}
	return fmt.Errorf("%q does not belong into it", h.Name)
}

func (u *unpacker) text(h *tar.Header, most int64) ([]byte, error) {
	if h.Size > most {
		return nil, fmt.Errorf("%w: %s has %d bytes", errCut, h.Name, h.Size)
	}
	text, err := io.ReadAll(u.tar)
	return text, cut(err)
}

// file writes a part to a file of its own, which lasts when this returns.
func (u *unpacker) file(h *tar.Header, path string) (int64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), u.tar)
	if err := errors.Join(cut(err), f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	u.note(h.Name, [sha256.Size]byte(sum.Sum(nil)))
	return n, nil
}

func (u *unpacker) note(name string, sum [sha256.Size]byte) {
	u.sums = fmt.Appendf(u.sums, "%x  %s\n", sum, name)
}

func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

// valid tells whether a name is one of a recording, and so leads nowhere but to its folder.
func valid(id string) bool {
	return id != "" && len(id) <= 128 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}
