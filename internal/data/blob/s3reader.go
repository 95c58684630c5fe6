package blob

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"
)

const (
	// firstWindow is how much the first request after a seek asks for, and mostWindow the most that one
	// does: whoever wants a second of a long recording does not have all of it sent, and whoever
	// reads it through needs few requests.
	firstWindow = 128 << 10
	mostWindow  = 4 << 20
	// rereads is how often a request that broke off is made again from where it did.
	rereads = 3
)

var errClosedBlob = errors.New("blobs: read after close")

// s3Reader is an object that is fetched range by range. It is used by one goroutine at a time.
type s3Reader struct {
	s3     *S3
	ctx    context.Context //nolint:containedctx // of the one reading that it is
	name   string
	size   int64
	at     int64         // where the next Read reads
	body   io.ReadCloser // of the range that is being read; nil: none
	left   int64         // bytes of it
	window int64         // of the next request
	closed bool
}

// Read implements io.Reader.
func (r *s3Reader) Read(p []byte) (int, error) {
	switch {
	case r.closed:
		return 0, errClosedBlob
	case r.at >= r.size:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	var last error
	for range rereads {
		n, err := r.readSome(p)
		if n > 0 || err == nil {
			return n, nil
		}
		last = err
		if r.ctx.Err() != nil {
			break
		}
	}
	return 0, last
}

// readSome reads at least a byte, or says why not.
func (r *s3Reader) readSome(p []byte) (int, error) {
	if r.body == nil {
		if err := r.fetch(); err != nil {
			return 0, err
		}
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
	r.at, r.left = r.at+int64(n), r.left-int64(n)
	switch {
	case r.left == 0:
		r.drop()
	case n == 0 && err == nil:
		return 0, io.ErrNoProgress
	case n == 0:
		r.drop()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, r.s3.judge(r.ctx, r.name, err)
	}
	return n, nil
}

func (r *s3Reader) fetch() error {
	r.window = min(max(2*r.window, firstWindow), mostWindow)
	last := min(r.at+r.window, r.size) - 1
	var opts minio.GetObjectOptions
	if err := opts.SetRange(r.at, last); err != nil {
		return err
	}
	body, _, _, err := r.s3.api.GetObject(r.ctx, r.s3.bucket, r.s3.prefix+r.name, opts)
	if err != nil {
		return r.s3.judge(r.ctx, r.name, err)
	}
	r.s3.answered()
	r.body, r.left = body, last-r.at+1
	return nil
}

// drop ends the request that runs.
func (r *s3Reader) drop() {
	if r.body != nil {
		_ = r.body.Close() // it was only read
		r.body, r.left = nil, 0
	}
}

// Seek implements io.Seeker. It asks nothing of the service.
func (r *s3Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	default:
		return 0, fmt.Errorf("blobs: seek: whence %d is unknown", whence)
	}
	if offset < 0 {
		return 0, fmt.Errorf("blobs: seek to %d", offset)
	}
	if offset != r.at {
		r.drop()
		r.at, r.window = offset, 0
	}
	return offset, nil
}

// Close implements io.Closer.
func (r *s3Reader) Close() error {
	r.drop()
	r.closed = true
	return nil
}
