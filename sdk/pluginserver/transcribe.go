package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

// Transcribe implements pluginv1.PluginServiceServer. The recording is kept in a file meanwhile, since a
// plugin may read it more than once.
func (s *server) Transcribe(st grpc.ClientStreamingServer[pluginv1.AudioPart, pluginv1.TranscribeResponse]) error {
	p, ok := plugin.As[plugin.Transcriber](s.plugin)
	if !ok {
		return status.Error(codes.Unimplemented, "the plugin transcribes nothing")
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		return status.Error(codes.Unavailable, "as many calls run as may at once")
	}
	dir, err := os.MkdirTemp("", "hermod-recording-")
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	defer os.RemoveAll(dir) // a file in the folder of temporary files is left
	name := dir + "/recording"
	audio, err := spool(st, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(st.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	var got plugin.Transcript
	err = guarded(func() (err error) {
		got, err = p.Transcribe(ctx, plugin.Audio{
			ID: audio.GetId(), RoomID: audio.GetRoomId(), UserID: audio.GetUserId(), Format: audio.GetFormat(), Size: audio.GetSize(),
			Duration: time.Duration(audio.GetDurationMs()) * time.Millisecond,
			Open:     func(context.Context) (io.ReadCloser, error) { return os.Open(name) },
		})
		return err
	})
	return st.SendAndClose(&pluginv1.TranscribeResponse{Error: frames.FromError(err), Text: got.Text, Confidence: got.Confidence})
}

// spool writes a recording to a file, and returns what it is.
func spool(st grpc.ClientStreamingServer[pluginv1.AudioPart, pluginv1.TranscribeResponse], name string) (audio *pluginv1.Audio, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	for {
		part, err := st.Recv()
		switch {
		case errors.Is(err, io.EOF) && audio == nil:
			return nil, status.Error(codes.InvalidArgument, "no part says which recording it is")
		case errors.Is(err, io.EOF):
			return audio, nil
		case err != nil:
			return nil, err
		}
		if part.GetAudio() != nil {
			audio = part.GetAudio()
		}
		if _, err := f.Write(part.GetData()); err != nil {
			return nil, status.Error(codes.Internal, fmt.Sprint("keep the recording: ", err))
		}
	}
}
