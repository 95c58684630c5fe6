package blob

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// partSize is what an upload holds in memory at most, and the least that S3 takes as a part.
	partSize = 5 << 20
	// undoTimeout bounds cleaning up after a service that failed, which may go on failing.
	undoTimeout = 10 * time.Second
)

// s3Writer is a plugin.BlobWriter. It is used by one goroutine at a time, until the context that it was
// created with ends.
type s3Writer struct {
	s3     *S3
	ctx    context.Context //nolint:containedctx // of the one upload that it is
	key    string
	part   bytes.Buffer // what was not sent yet, less than partSize
	upload string       // empty until there is more than one part
	sent   []minio.CompletePart
}

// Write implements io.Writer. It sends a part whenever there is a whole one.
func (w *s3Writer) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 {
		take := min(len(p), partSize-w.part.Len())
		_, _ = w.part.Write(p[:take]) // never fails, by its contract
		n, p = n+take, p[take:]
		if w.part.Len() < partSize {
			continue
		}
		if err := w.send(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (w *s3Writer) send() error {
	if w.upload == "" {
		id, err := w.s3.api.NewMultipartUpload(w.ctx, w.s3.bucket, w.key, minio.PutObjectOptions{})
		if err != nil {
			return w.s3.judge(w.ctx, w.key, err)
		}
		w.upload = id
	}
	number := len(w.sent) + 1
	part, err := w.s3.api.PutObjectPart(w.ctx, w.s3.bucket, w.key, w.upload, number,
		bytes.NewReader(w.part.Bytes()), int64(w.part.Len()), minio.PutObjectPartOptions{})
	if err != nil {
		return w.s3.judge(w.ctx, w.key, err)
	}
	w.sent = append(w.sent, minio.CompletePart{PartNumber: number, ETag: part.ETag})
	w.part.Reset()
	return nil
}

// Commit implements plugin.BlobWriter.
func (w *s3Writer) Commit() error {
	err := w.finish()
	if err == nil {
		w.s3.answered()
		return nil
	}
	if undo := w.undo(true); undo != nil {
		err = errors.Join(err, undo)
	}
	return err
}

func (w *s3Writer) finish() error {
	if w.upload == "" {
		_, err := w.s3.api.PutObject(w.ctx, w.s3.bucket, w.key,
			bytes.NewReader(w.part.Bytes()), int64(w.part.Len()), "", "", minio.PutObjectOptions{})
		return w.s3.judge(w.ctx, w.key, err)
	}
	if w.part.Len() > 0 {
		if err := w.send(); err != nil {
			return err
		}
	}
	_, err := w.s3.api.CompleteMultipartUpload(w.ctx, w.s3.bucket, w.key, w.upload, w.sent, minio.PutObjectOptions{})
	return w.s3.judge(w.ctx, w.key, err)
}

// Discard implements plugin.BlobWriter.
func (w *s3Writer) Discard() error { return w.undo(false) }

// undo leaves nothing behind, even where the upload's context has ended. What was to be committed may be
// there although the answer was lost.
func (w *s3Writer) undo(committed bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), undoTimeout)
	defer cancel()
	var errs []error
	if w.upload != "" {
		if err := w.s3.api.AbortMultipartUpload(ctx, w.s3.bucket, w.key, w.upload); err != nil &&
			minio.ToErrorResponse(err).Code != minio.NoSuchUpload {
			errs = append(errs, err)
		}
	}
	if committed {
		errs = append(errs, w.s3.api.RemoveObject(ctx, w.s3.bucket, w.key, minio.RemoveObjectOptions{}))
	}
	w.part = bytes.Buffer{}
	return errors.Join(errs...)
}
