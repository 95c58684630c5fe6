package wordfilter

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

const maxFileBytes = 16 << 20

// watched is a file whose text is compared with what was read of it.
type watched struct {
	path  string
	text  []byte // that is in use
	next  []byte // another one, as of the last look
	since time.Time
	fault string // why the file cannot be used
	seen  os.FileInfo
}

// settled is the age from which on a file that looks the same is the same: the times of some file
// systems are seconds apart.
const settled = 10 * time.Second

// quiet is how long another text must have stayed the same before it is used: who writes a file in place empties it first.
const quiet = time.Second

// read returns the text if it is another one than that in use, and has stayed the same from one look to the next.
func (w *watched) read() (text []byte, changed bool, err error) {
	now, err := os.Stat(w.path)
	if err != nil {
		return nil, false, err
	}
	if s := w.seen; s != nil && os.SameFile(now, s) && now.ModTime().Equal(s.ModTime()) && now.Size() == s.Size() && w.fault == "" {
		return nil, false, nil
	}
	if text, err = readWords(w.path); err != nil {
		return nil, false, err
	}
	changed = !bytes.Equal(text, w.text)
	switch {
	case !changed:
		w.next = nil
	case w.next == nil || !bytes.Equal(text, w.next):
		w.next, w.since = text, time.Now()
		return nil, false, nil
	case time.Since(w.since) < quiet:
		return nil, false, nil
	}
	if time.Since(now.ModTime()) > settled {
		w.seen = now
	}
	return text, changed, nil
}

func readWords(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		return nil, fmt.Errorf("has more than %d bytes", maxFileBytes)
	}
	return text, err
}
