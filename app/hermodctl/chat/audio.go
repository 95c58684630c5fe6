package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// Of an upload that takes long, a line tells at most so often, and after so much more, how far it is.
const (
	tellEvery = time.Second
	tellSteps = 10 // of the whole
)

// audio uploads a file and sends the AUDIO message that names it. Who types may go on meanwhile; a
// script's next line waits, since it may be about the recording.
func (c *Chat) audio(ctx context.Context, argument string) {
	if c.room == "" {
		c.nowhere()
		return
	}
	rec, err := openRecording(argument)
	if err != nil {
		c.unsent = true
		c.problem("not sent: %v", err)
		return
	}
	c.note("sending %s, %s", rec.name(), byteSize(rec.size))
	c.uploads++
	room := c.room
	send := func(ctx context.Context) func() {
		req, result, err := c.deliver(ctx, room, rec)
		return func() {
			c.uploads--
			c.delivered(rec, req, result, err)
		}
	}
	if c.cfg.Echo {
		c.do(ctx, send)
		return
	}
	go func() { c.post(send(ctx)) }()
}

// deliver does the work of audio, beside the chat.
func (c *Chat) deliver(ctx context.Context, room string, rec recording) (*imv1.MessageRequest, *client.SendResult, error) {
	uploaded, err := c.client.UploadAudioFile(ctx, rec.path, client.UploadOptions{
		RoomID: room, Format: rec.format, Progress: c.progress(rec.name()),
	})
	if err != nil {
		return nil, nil, err
	}
	content, err := json.Marshal(audioContent{
		ID: uploaded.GetAudioId(), URL: uploaded.GetAudioUrl(), Format: rec.format, Size: rec.size,
	})
	if err != nil {
		return nil, nil, err
	}
	req := &imv1.MessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_AUDIO, Content: content}
	result, err := c.client.Send(ctx, req)
	return req, result, err
}

// delivered shows what the others see, on a terminal too: what was typed does not say it.
func (c *Chat) delivered(rec recording, req *imv1.MessageRequest, result *client.SendResult, err error) {
	if err != nil {
		c.unsent = true
		c.problem("%s is not sent: %s", rec.name(), why(err))
		return
	}
	c.receive(own(c.cfg.User, req, result))
}

// progress returns a client.UploadOptions.Progress.
func (c *Chat) progress(name string) func(sent, total int64) {
	told, at := int64(0), time.Now()
	return func(sent, total int64) {
		if sent == total || sent-told < total/tellSteps || time.Since(at) < tellEvery {
			return
		}
		told, at = sent, time.Now()
		c.post(func() { c.note("%s: %d%% of %s", name, 100*sent/total, byteSize(total)) })
	}
}

// abandon says what leaving the chat has ended.
func (c *Chat) abandon() {
	if c.uploads > 0 {
		c.problem("%d %s given up", c.uploads, plural(c.uploads, "upload"))
	}
}

// recording is a file that can be uploaded.
type recording struct {
	path   string
	format string // its extension, in lower case
	size   int64  // bytes
}

func (r recording) name() string { return filepath.Base(r.path) }

// openRecording checks what can be known of a file without the server, which knows what it takes.
func openRecording(argument string) (recording, error) {
	path, err := expand(argument)
	if err != nil {
		return recording{}, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return recording{}, fmt.Errorf("there is no file %s", path)
	case err != nil:
		return recording{}, errors.New(why(err))
	case info.IsDir():
		return recording{}, fmt.Errorf("%s is a folder", path)
	case !info.Mode().IsRegular():
		return recording{}, fmt.Errorf("%s is not a regular file", path)
	case info.Size() == 0:
		return recording{}, fmt.Errorf("%s is empty", path)
	}
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if format == "" {
		return recording{}, fmt.Errorf("%s has no extension that says its format, such as .opus or .mp3", path)
	}
	return recording{path: path, format: format, size: info.Size()}, nil
}

// expand returns the path that a person means. Terminals put quotes around a file with spaces that is
// dropped on them.
func expand(argument string) (string, error) {
	path := argument
	if n := len(path); n > 2 && path[0] == path[n-1] && (path[0] == '\'' || path[0] == '"') {
		path = path[1 : n-1]
	}
	rest, isHome := strings.CutPrefix(path, "~")
	if !isHome || rest != "" && !os.IsPathSeparator(rest[0]) {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("what ~ means is not known: %w", err)
	}
	return filepath.Join(home, rest), nil
}
