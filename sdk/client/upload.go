package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc"
)

// chunkBytes is the content of one frame of an upload.
const chunkBytes = 32 << 10

// UploadOptions describes an upload.
type UploadOptions struct {
	RoomID   string        // where the recording may be used. Empty: Config.DefaultRoomID
	Format   string        // such as opus; the server says which it takes
	Duration time.Duration // of the recording; 0: not known

	// Reader yields the recording. Exactly Size bytes are read from it, by the goroutine that
	// calls; a Read that blocks is waited for, whatever happens meanwhile.
	Reader io.Reader
	// Size is the number of bytes. 0: from where Reader stands to its end, for which it must be
	// an io.Seeker.
	Size int64
	// Progress, if set, is called after every chunk, by the goroutine that calls.
	Progress func(sent, total int64)
}

// UploadAudio uploads a recording of so many seconds, 0 if that is not known, and returns what the
// server calls it. Nobody is told of it: that takes an AUDIO message.
func (c *Client) UploadAudio(roomID string, audioData []byte, format string, duration float64) (*imv1.UploadAudioResponse, error) {
	return c.upload(context.Background(), &imv1.AudioMetadata{
		RoomId: roomID, Format: format, Size: int64(len(audioData)), Duration: duration,
	}, bytes.NewReader(audioData), nil)
}

// UploadAudioFrom uploads a recording while it reads it. It has no time limit but ctx's as long as
// it gets on: it fails when the server takes no chunk, or after the last one does not answer, for
// Config.RequestTimeout. Waiting for Reader does not count. It ends with the connection that it
// began on and with Disconnect, and is not begun again by itself.
func (c *Client) UploadAudioFrom(ctx context.Context, opts UploadOptions) (*imv1.UploadAudioResponse, error) {
	size, err := opts.size()
	if err != nil {
		return nil, err
	}
	return c.upload(ctx, &imv1.AudioMetadata{
		RoomId: opts.RoomID, Format: opts.Format, Size: size, Duration: opts.Duration.Seconds(),
	}, opts.Reader, opts.Progress)
}

// UploadAudioFile is UploadAudioFrom for a file, of which opts.Reader is not used. An empty Format
// is taken from the file's extension.
func (c *Client) UploadAudioFile(ctx context.Context, path string, opts UploadOptions) (*imv1.UploadAudioResponse, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("client: upload: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	opts.Reader = file
	setDefault(&opts.Format, strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")))
	return c.UploadAudioFrom(ctx, opts)
}

// size returns Size, or measures Reader.
func (o *UploadOptions) size() (int64, error) {
	if o.Reader == nil {
		return 0, errors.New("client: UploadOptions.Reader is nil")
	}
	if o.Size != 0 {
		return o.Size, nil
	}
	seeker, ok := o.Reader.(io.Seeker)
	if !ok {
		return 0, fmt.Errorf("client: UploadOptions.Size is 0, and a %T cannot be measured: it is no io.Seeker", o.Reader)
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, unmeasured(err)
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, unmeasured(err)
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return 0, unmeasured(err)
	}
	return max(0, end-start), nil
}

func unmeasured(err error) error {
	return fmt.Errorf("client: UploadOptions.Size is 0, and Reader cannot be measured: %w", err)
}

func (c *Client) upload(ctx context.Context, meta *imv1.AudioMetadata, from io.Reader, progress func(sent, total int64)) (*imv1.UploadAudioResponse, error) {
	if meta.GetSize() < 0 || !(meta.GetDuration() >= 0) || math.IsInf(meta.GetDuration(), 1) {
		return nil, fmt.Errorf("client: an upload of %d bytes and %v seconds: neither can be negative or infinite", meta.GetSize(), meta.GetDuration())
	}
	meta.UserId = c.cfg.UserID
	setDefault(&meta.RoomId, c.cfg.DefaultRoomID)
	cn, l := c.active()
	if cn == nil {
		return nil, ErrNotConnected
	}
	ctx, done := l.bind(ctx)
	defer done()
	ctx, w := watch(ctx, c.cfg.RequestTimeout)
	defer w.stop()
	defer cn.hold()()
	ctx, err := c.identify(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := cn.ep.stub.UploadAudio(ctx)
	if err != nil {
		return nil, callError(ctx, l, cn, err)
	}
	if err := sendAudio(stream, w, meta, from, progress); err != nil {
		return nil, err
	}
	w.reset()
	resp, err := stream.CloseAndRecv()
	if err != nil {
		return nil, callError(ctx, l, cn, err)
	}
	return resp, statusError(resp.GetStatus(), meta.GetRoomId())
}

// sendAudio writes all frames of an upload. That the server has ended it meanwhile is no error
// here: its answer says why. An error is the reader's.
func sendAudio(stream grpc.ClientStreamingClient[imv1.UploadAudioRequest, imv1.UploadAudioResponse], w *watchdog,
	meta *imv1.AudioMetadata, from io.Reader, progress func(sent, total int64)) error {
	if stream.Send(&imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Metadata{Metadata: meta}}) != nil {
		return nil
	}
	total := meta.GetSize()
	for sent := int64(0); sent < total; {
		chunk := make([]byte, min(chunkBytes, total-sent)) // not used again: gRPC may still read it after Send
		w.stop()
		n, err := io.ReadFull(from, chunk)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("client: the recording ends after %d of %d bytes: %w", sent+int64(n), total, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return fmt.Errorf("client: read the recording: %w", err)
		}
		w.reset()
		if stream.Send(&imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Chunk{Chunk: chunk}}) != nil {
			return nil
		}
		sent += int64(n)
		if progress != nil {
			progress(sent, total)
		}
	}
	return nil
}

// watchdog ends a context when it is neither reset nor stopped for some time.
type watchdog struct {
	timeout time.Duration
	timer   *time.Timer
}

func watch(ctx context.Context, timeout time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watchdog{timeout: timeout, timer: time.AfterFunc(timeout, func() {
		cancel(fmt.Errorf("no progress for %v: %w", timeout, context.DeadlineExceeded))
	})}
}

func (w *watchdog) reset() { w.timer.Reset(w.timeout) }
func (w *watchdog) stop()  { w.timer.Stop() }
