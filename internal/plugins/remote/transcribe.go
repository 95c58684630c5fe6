package remote

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

// partBytes is how much of a recording goes into one part.
const partBytes = 32 << 10

type transcriber struct{ of *Plugin }

// Transcribe implements plugin.Transcriber. It takes a stream of its own, so that a recording holds nothing
// else up.
func (t transcriber) Transcribe(ctx context.Context, a plugin.Audio) (plugin.Transcript, error) {
	now := t.of.current.Load()
	if now == nil {
		return plugin.Transcript{}, errAway
	}
	r, err := a.Open(ctx)
	if err != nil {
		return plugin.Transcript{}, err
	}
	defer r.Close() // it was only read
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st, err := now.client.Transcribe(ctx)
	if err != nil {
		return plugin.Transcript{}, err
	}
	if err := upload(st, &a, r); err != nil {
		return plugin.Transcript{}, err
	}
	got, err := st.CloseAndRecv()
	if err != nil {
		return plugin.Transcript{}, err
	}
	return plugin.Transcript{Text: got.GetText(), Confidence: got.GetConfidence()}, frames.ToError(got.GetError())
}

// upload sends a recording. That the plugin wants no more of it is no error: its answer tells.
func upload(st grpc.ClientStreamingClient[pluginv1.AudioPart, pluginv1.TranscribeResponse], a *plugin.Audio, r io.Reader) error {
	part := &pluginv1.AudioPart{Audio: frames.FromAudio(a)}
	buf := make([]byte, partBytes)
	for {
		n, err := io.ReadFull(r, buf)
		part.Data = buf[:n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return fmt.Errorf("read the recording: %w", err)
		}
		if err := st.Send(part); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if last {
			return nil
		}
		part = &pluginv1.AudioPart{}
	}
}
