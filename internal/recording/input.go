package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// window is what is read at a time: files may be objects of a service that is asked for each part.
const window = 32 << 10

// input is a file that is read through a window. Seeking within it reads nothing.
type input struct {
	ctx    context.Context //nolint:containedctx // of the one reading that it is
	file   io.ReadSeeker
	size   int64
	at     int64 // where the next Read reads
	start  int64 // where the window begins
	buf    []byte
	filled int
	failed error // of the file or of ctx, and no fault of what is in it
}

func newInput(ctx context.Context, file io.ReadSeeker, size int64) *input {
	return &input{ctx: ctx, file: file, size: size, buf: make([]byte, window), start: -1}
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	if in.at >= in.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if in.start < 0 || in.at < in.start || in.at >= in.start+int64(in.filled) {
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.at-in.start:in.filled])
	in.at += int64(n)
	return n, nil
}

func (in *input) fill() error {
	if in.failed != nil {
		return in.failed
	}
	if in.failed = in.ctx.Err(); in.failed != nil {
		return in.failed
	}
	if in.start+int64(in.filled) != in.at || in.start < 0 {
		if _, in.failed = in.file.Seek(in.at, io.SeekStart); in.failed != nil {
			return in.failed
		}
	}
	n, err := io.ReadFull(in.file, in.buf[:min(int64(len(in.buf)), in.size-in.at)])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // a file shorter than its size ends
		in.start = -1
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		in.failed = err
		return err
	}
	in.start, in.filled = in.at, n
	return nil
}

// Seek implements io.Seeker.
func (in *input) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += in.at
	case io.SeekEnd:
		offset += in.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("%w: seek to %d", errUnreadable, offset)
	}
	in.at = offset
	return offset, nil
}

// skip goes on n bytes further.
func (in *input) skip(n int64) { in.at += n }

// left is how many bytes follow.
func (in *input) left() int64 { return max(in.size-in.at, 0) }

// streamed hides that an input seeks, from libraries that would look through the file first.
type streamed struct{ io.Reader }
