package openai

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/game-im/hermod/plugin"
)

// sort is what a recording is called on this wire.
type sort struct{ extension, media string }

// sorts are the formats that go by another name than their own, or whose media type is another.
// Services tell formats by the extension, and do not know .opus.
var sorts = map[string]sort{
	"opus": {"ogg", "audio/ogg"},
	"oga":  {"ogg", "audio/ogg"},
	"mp3":  {"mp3", "audio/mpeg"},
	"m4a":  {"m4a", "audio/mp4"},
	"wave": {"wav", "audio/wav"},
}

func sortOf(format string) sort {
	if s, ok := sorts[format]; ok {
		return s
	}
	if format == "" || strings.ContainsFunc(format, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return sort{"bin", "application/octet-stream"}
	}
	return sort{format, "audio/" + format}
}

// request makes the request, whose body streams the recording. Its length is known, so that it is not
// sent in chunks, which not every service takes.
func (t *Transcriber) request(ctx context.Context, a plugin.Audio) (*http.Request, error) {
	before, after, contentType, err := t.envelope(a)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) {
		file, err := a.Open(ctx)
		if err != nil {
			return nil, err
		}
		return &body{io.MultiReader(bytes.NewReader(before), file, bytes.NewReader(after)), file}, nil
	}
	content, err := open()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(t.keys.BaseURL, "/")+"/audio/transcriptions", content)
	if err != nil {
		content.Close()
		return nil, err
	}
	req.GetBody = open
	req.ContentLength = int64(len(before)) + a.Size + int64(len(after))
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "hermod")
	if key := t.keys.APIKey; key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return req, nil
}

// body is what is sent; closing it closes the recording.
type body struct {
	io.Reader
	io.Closer
}

// envelope is what comes before the bytes of the recording in the body, and after them.
func (t *Transcriber) envelope(a plugin.Audio) (before, after []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, field := range [][2]string{
		{"model", t.keys.Model},
		{"response_format", t.responseFormat()},
		{"language", t.keys.Language},
		{"prompt", t.keys.Prompt},
	} {
		if field[1] == "" {
			continue
		}
		if err := w.WriteField(field[0], field[1]); err != nil {
			return nil, nil, "", err
		}
	}
	s := sortOf(a.Format)
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", `form-data; name="file"; filename="recording.`+s.extension+`"`)
	header.Set("Content-Type", s.media)
	if _, err := w.CreatePart(header); err != nil {
		return nil, nil, "", err
	}
	n := b.Len()
	if err := w.Close(); err != nil {
		return nil, nil, "", err
	}
	return b.Bytes()[:n:n], b.Bytes()[n:], w.FormDataContentType(), nil
}

// responseFormat asks models of the Whisper family for their segments, which say how sure they are.
// Others do not have them, and refuse the question.
func (t *Transcriber) responseFormat() string {
	if strings.Contains(strings.ToLower(t.keys.Model), "whisper") {
		return "verbose_json"
	}
	return "json"
}
