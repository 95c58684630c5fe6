package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type uploadHandler func(imv1.IMService_UploadAudioServer) error

func (p *peer) onUpload(f uploadHandler) { p.upload.Store(&f) }

func (p *peer) UploadAudio(stream imv1.IMService_UploadAudioServer) error {
	return (*p.upload.Load())(stream)
}

// uploaded is what a server saw of an upload.
type uploaded struct {
	md     metadata.MD
	meta   *imv1.AudioMetadata
	chunks []int
	data   []byte
}

// keepUploads has the peer take uploads in as a node does.
func (p *peer) keepUploads() <-chan uploaded {
	out := make(chan uploaded, 4)
	p.onUpload(func(stream imv1.IMService_UploadAudioServer) error {
		var u uploaded
		u.md, _ = metadata.FromIncomingContext(stream.Context())
		for {
			req, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if u.meta == nil {
				u.meta = req.GetMetadata()
				continue
			}
			u.chunks = append(u.chunks, len(req.GetChunk()))
			u.data = append(u.data, req.GetChunk()...)
		}
		out <- u
		return stream.SendAndClose(&imv1.UploadAudioResponse{Status: &imv1.ResponseStatus{}, AudioId: "audio-1"})
	})
	return out
}

func recording(bytes int) []byte {
	data := make([]byte, bytes)
	for i := range data {
		data[i] = byte(i * 7)
	}
	return data
}

// 200 KiB are one frame of metadata and seven chunks; nothing is one frame of metadata.
func TestUploadAudioFrames(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	uploads := p.keepUploads()
	cfg, _ := p.config()
	cfg.Token = "secret"
	c, _ := p.connect(t, cfg)
	for size, chunks := range map[int]string{
		0:         "[]",
		1:         "[1]",
		32 << 10:  "[32768]",
		200 << 10: "[32768 32768 32768 32768 32768 32768 8192]",
	} {
		resp, err := c.UploadAudio("a", recording(size), "opus", 30.5)
		if err != nil || resp.GetAudioId() != "audio-1" {
			t.Fatalf("UploadAudio of %d bytes: %v, %v", size, resp, err)
		}
		got := wait(t, uploads, "the upload")
		if fmt.Sprint(got.chunks) != chunks || !bytes.Equal(got.data, recording(size)) {
			t.Errorf("%d bytes came as %v", size, got.chunks)
		}
		m := got.meta
		if m.GetUserId() != "alice" || m.GetRoomId() != "a" || m.GetFormat() != "opus" || m.GetSize() != int64(size) || m.GetDuration() != 30.5 {
			t.Errorf("metadata %v", m)
		}
		if first(got.md, keyUserID) != "alice" || first(got.md, keyAuthorization) != "Bearer secret" {
			t.Errorf("the call said %v", got.md)
		}
	}
}

func TestUploadAudioFrom(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	uploads := p.keepUploads()
	cfg, _ := p.config()
	cfg.DefaultRoomID = "lobby"
	c, _ := p.connect(t, cfg)
	data := recording(100_000)
	seekable := bytes.NewReader(append([]byte("header"), data...))
	if _, err := seekable.Seek(6, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "greeting.OPUS")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var progress []int64
	note := func(sent, total int64) { progress = append(progress, sent, total) }
	tests := map[string]func() (*imv1.UploadAudioResponse, error){
		"a seeker, from where it stands": func() (*imv1.UploadAudioResponse, error) {
			return c.UploadAudioFrom(t.Context(), UploadOptions{Format: "opus", Duration: 1500 * time.Millisecond, Reader: seekable, Progress: note})
		},
		"a stream of known size, and no more of it": func() (*imv1.UploadAudioResponse, error) {
			more := io.MultiReader(iotest.OneByteReader(bytes.NewReader(data)), iotest.ErrReader(errors.New("read too far")))
			return c.UploadAudioFrom(t.Context(), UploadOptions{Format: "opus", Duration: 1500 * time.Millisecond, Reader: more, Size: 100_000, Progress: note})
		},
		"data together with EOF": func() (*imv1.UploadAudioResponse, error) {
			return c.UploadAudioFrom(t.Context(), UploadOptions{Format: "opus", Duration: 1500 * time.Millisecond,
				Reader: iotest.DataErrReader(bytes.NewReader(data)), Size: 100_000, Progress: note})
		},
		"a file": func() (*imv1.UploadAudioResponse, error) {
			return c.UploadAudioFile(t.Context(), file, UploadOptions{Duration: 1500 * time.Millisecond, Progress: note})
		},
	}
	for name, upload := range tests {
		progress = nil
		if resp, err := upload(); err != nil || resp.GetAudioId() != "audio-1" {
			t.Fatalf("%s: %v, %v", name, resp, err)
		}
		got := wait(t, uploads, "the upload")
		m := got.meta
		if m.GetRoomId() != "lobby" || m.GetFormat() != "opus" || m.GetSize() != 100_000 || m.GetDuration() != 1.5 || !bytes.Equal(got.data, data) {
			t.Errorf("%s: metadata %v, %d bytes", name, m, len(got.data))
		}
		if want := "[32768 100000 65536 100000 98304 100000 100000 100000]"; fmt.Sprint(progress) != want {
			t.Errorf("%s: progress %v", name, progress)
		}
	}
}

func TestUploadRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.keepUploads()
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	broken := errors.New("the disk is broken")
	for want, opts := range map[string]UploadOptions{
		"Reader is nil":            {},
		"no io.Seeker":             {Reader: iotest.OneByteReader(strings.NewReader("x"))},
		"cannot be measured":       {Reader: unseekable{}},
		"-1 bytes":                 {Reader: strings.NewReader("x"), Size: -1},
		"-1 seconds":               {Reader: strings.NewReader("x"), Duration: -time.Second},
		"ends after 3 of 10 bytes": {Reader: strings.NewReader("abc"), Size: 10},
		broken.Error():             {Reader: iotest.ErrReader(broken), Size: 10},
	} {
		if resp, err := c.UploadAudioFrom(t.Context(), opts); err == nil || resp != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want it to say %q", resp, err, want)
		}
	}
	if _, err := c.UploadAudioFile(t.Context(), filepath.Join(t.TempDir(), "none"), UploadOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	p.disconnect(t, c)
	if _, err := c.UploadAudio("a", nil, "opus", 0); !errors.Is(err, ErrNotConnected) {
		t.Errorf("after Disconnect: %v", err)
	}
}

// unseekable claims to be a seeker, as a pipe does.
type unseekable struct{ io.Reader }

func (unseekable) Seek(int64, int) (int64, error) { return 0, errors.New("illegal seek") }

// A server that refuses an upload does not read all of it: the client is to say why, not that the
// stream has ended.
func TestUploadReturnsTheRefusal(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	p.onUpload(func(stream imv1.IMService_UploadAudioServer) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		return status.Error(codes.InvalidArgument, "format flac is not among opus, mp3")
	})
	_, err := c.UploadAudio("a", recording(10<<20), "flac", 0)
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "opus, mp3") {
		t.Errorf("UploadAudio: %v", err)
	}
	p.onUpload(func(stream imv1.IMService_UploadAudioServer) error {
		return stream.SendAndClose(&imv1.UploadAudioResponse{Status: &imv1.ResponseStatus{
			Code: 17004, Message: "too large", Details: map[string]string{"reason": "AUDIO_TOO_LARGE"},
		}})
	})
	resp, err := c.UploadAudio("a", recording(1), "opus", 0)
	if Reason(err) != "AUDIO_TOO_LARGE" || resp.GetStatus().GetCode() != 17004 {
		t.Errorf("UploadAudio: %v, %v", resp, err)
	}
}

// RequestTimeout is for progress: an upload may take much longer, and ends when it stands still.
func TestUploadTimesOutWithoutProgress(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	cfg.RequestTimeout = 500 * time.Millisecond
	c, _ := p.connect(t, cfg)
	p.onUpload(func(stream imv1.IMService_UploadAudioServer) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	})
	var sent atomic.Int64
	_, err := c.UploadAudioFrom(t.Context(), UploadOptions{
		Format: "opus", Reader: bytes.NewReader(recording(10 << 20)), Progress: func(n, _ int64) { sent.Store(n) },
	})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no progress") || sent.Load() == 10<<20 {
		t.Errorf("UploadAudioFrom: %v after %d bytes", err, sent.Load())
	}
	uploads := p.keepUploads()
	slow := readerFunc(func(b []byte) (int, error) {
		time.Sleep(2 * cfg.RequestTimeout / 3)
		b[0] = 'x'
		return 1, nil
	})
	if _, err := c.UploadAudioFrom(t.Context(), UploadOptions{Format: "opus", Reader: slow, Size: 3}); err != nil {
		t.Errorf("a slow reader: %v", err)
	}
	if got := wait(t, uploads, "the upload"); string(got.data) != "xxx" {
		t.Errorf("uploaded %q", got.data)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// No lock is held while an upload goes on, and Disconnect ends it, over either kind of connection.
func TestDisconnectEndsUploads(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		t.Run(fmt.Sprintf("own connection %v", own), func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			begun := make(chan struct{})
			p.onUpload(func(stream imv1.IMService_UploadAudioServer) error {
				close(begun)
				<-stream.Context().Done()
				return stream.Context().Err()
			})
			cfg, _ := p.config()
			var c *Client
			if own {
				c, _ = p.connect(t, cfg)
			} else {
				c, _ = p.connectOver(t, p.lend(t), cfg)
			}
			result := make(chan error, 1)
			go func() {
				_, err := c.UploadAudio("a", recording(10<<20), "opus", 0)
				result <- err
			}()
			wait(t, begun, "the upload")
			if !c.IsConnected() {
				t.Error("not connected")
			}
			p.disconnect(t, c)
			if err := wait(t, result, "UploadAudio"); !errors.Is(err, ErrDisconnected) {
				t.Errorf("UploadAudio: %v", err)
			}
		})
	}
}

func TestContextEndsUploads(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	p.onUpload(func(stream imv1.IMService_UploadAudioServer) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.UploadAudioFrom(ctx, UploadOptions{Reader: bytes.NewReader(recording(10 << 20)), Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("UploadAudioFrom: %v", err)
	}
}
