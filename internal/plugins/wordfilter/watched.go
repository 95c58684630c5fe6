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
	fault string // why the file cannot be used
	seen  os.FileInfo
}

// settled is the age from which on a file that looks the same is the same: the times of some file
// systems are seconds apart.
const settled = 10 * time.Second

// read returns the text if it is another one than that in use.
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
	if time.Since(now.ModTime()) > settled {
		w.seen = now
	}
	return text, !bytes.Equal(text, w.text), nil
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
