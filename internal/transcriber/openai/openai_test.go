package openai_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/transcriber/openai"
	"github.com/game-im/hermod/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "sk-a-key-that-nobody-may-see"

// serve runs a service on the loopback and returns its address. It answers what h does.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// transcriber is one for the service at an address. Its connections end with the service's.
func transcriber(base, model string) *openai.Transcriber {
	return openai.New(openai.Keys{BaseURL: base + "/v1", APIKey: secret, Model: model})
}

// recording is one of a number of bytes, and counts how often it is open.
func recording(size int, format string) (a plugin.Audio, open *atomic.Int32) {
	open = &atomic.Int32{}
	return plugin.Audio{
		ID: "a", Format: format, Size: int64(size),
		Open: func(context.Context) (io.ReadCloser, error) {
			open.Add(1)
			return &file{bytes.NewReader(bytes.Repeat([]byte("sound"), size/5+1)[:size]), open}, nil
		},
	}, open
}

type file struct {
	io.Reader
	open *atomic.Int32
}

func (f *file) Close() error {
	f.open.Add(-1)
	return nil
}

// waitClosed fails the test unless the recording is closed. The client of net/http closes a body that it
// has sent at its own time, which may be after the answer.
func waitClosed(t *testing.T, open *atomic.Int32) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); open.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("the recording is open %d times", open.Load())
			return
		}
	}
}

// received is what a request holds, or what is wrong with it.
type received struct {
	fields                map[string]string
	file                  []byte
	name, media           string
	length                int64
	authorization, wanted string
}

func receive(r *http.Request) (got received, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return got, err
	case r.Method != http.MethodPost || r.URL.Path != "/v1/audio/transcriptions" || kind != "multipart/form-data":
		return got, fmt.Errorf("%s %s %s", r.Method, r.URL, kind)
	case len(r.TransferEncoding) > 0 || r.ContentLength <= 0:
		return got, fmt.Errorf("transfer encoding %v, length %d", r.TransferEncoding, r.ContentLength)
	}
	got = received{
		fields: map[string]string{}, length: r.ContentLength,
		authorization: r.Header.Get("Authorization"), wanted: r.Header.Get("Accept"),
	}
	for parts := multipart.NewReader(r.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return got, err
		}
		if part.FormName() == "file" {
			if got.file != nil {
				return got, errors.New("two files")
			}
			got.file, got.name, got.media = content, part.FileName(), part.Header.Get("Content-Type")
			continue
		}
		if got.file != nil {
			return got, errors.New("a field after the file")
		}
		if _, twice := got.fields[part.FormName()]; twice {
			return got, fmt.Errorf("%s is there twice", part.FormName())
		}
		got.fields[part.FormName()] = string(content)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]struct{ name, media string }{
		"opus":  {"recording.ogg", "audio/ogg"},
		"mp3":   {"recording.mp3", "audio/mpeg"},
		"wav":   {"recording.wav", "audio/wav"},
		"flac":  {"recording.flac", "audio/flac"},
		"":      {"recording.bin", "application/octet-stream"},
		`x"/..`: {"recording.bin", "application/octet-stream"},
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var got received
			var wrong error
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got, wrong = receive(r)
				fmt.Fprint(w, `{"text": " well said\n"}`)
			})
			const size = 3<<20 + 17
			a, open := recording(size, format)
			tr := openai.New(openai.Keys{BaseURL: base + "/v1/", APIKey: secret, Model: "gpt-4o-transcribe", Language: "en", Prompt: "Hermod"})
			result, err := tr.Transcribe(t.Context(), a)
			if err != nil || wrong != nil || result != (plugin.Transcript{Text: "well said"}) {
				t.Fatalf("%+v, %v; the request: %v", result, err, wrong)
			}
			fields := map[string]string{"model": "gpt-4o-transcribe", "response_format": "json", "language": "en", "prompt": "Hermod"}
			if !maps.Equal(got.fields, fields) || got.authorization != "Bearer "+secret || got.wanted != "application/json" {
				t.Errorf("fields %v, authorization %q, accept %q", got.fields, got.authorization, got.wanted)
			}
			if got.name != want.name || got.media != want.media || len(got.file) != size || !bytes.HasPrefix(got.file, []byte("soundsound")) {
				t.Errorf("file %q, %q, %d bytes", got.name, got.media, len(got.file))
			}
			waitClosed(t, open)
		})
	}
}

func TestWhatIsNotConfiguredIsNotSent(t *testing.T) {
	t.Parallel()
	var got received
	var wrong error
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, wrong = receive(r)
		fmt.Fprint(w, `{"text": ""}`)
	})
	a, _ := recording(1, "wav")
	result, err := openai.New(openai.Keys{BaseURL: base + "/v1", Model: "whisper-1"}).Transcribe(t.Context(), a)
	if err != nil || wrong != nil || result.Text != "" {
		t.Fatalf("%+v, %v; the request: %v", result, err, wrong)
	}
	if !maps.Equal(got.fields, map[string]string{"model": "whisper-1", "response_format": "verbose_json"}) || got.authorization != "" {
		t.Errorf("fields %v, authorization %q", got.fields, got.authorization)
	}
}

func TestConfidence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		segments string
		want     float64
	}{
		"none":              {`[]`, 0},
		"one":               {`[{"start": 0, "end": 2, "avg_logprob": -0.5}]`, math.Exp(-0.5)},
		"by their duration": {`[{"start": 0, "end": 3, "avg_logprob": -0.2}, {"start": 3, "end": 4, "avg_logprob": -1}]`, math.Exp(-0.4)},
		"not said":          {`[{"start": 0, "end": 3}]`, 0},
		"of no duration":    {`[{"start": 3, "end": 3, "avg_logprob": -0.5}]`, 0},
		"impossible":        {`[{"start": 0, "end": 1, "avg_logprob": 7}]`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprintf(w, `{"text": "x", "segments": %s}`, test.segments)
			})
			a, _ := recording(10, "wav")
			got, err := transcriber(base, "whisper-1").Transcribe(t.Context(), a)
			if err != nil || math.Abs(got.Confidence-test.want) > 1e-9 {
				t.Errorf("got %+v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 1000)
	for name, test := range map[string]struct {
		code       int
		body       string
		retryAfter string
		kind       plugin.Kind
		says       string
		wait       time.Duration // within a second
	}{
		"a bad file":     {400, `{"error": {"message": "Invalid file format.\u0000 It is", "type": "x"}}`, "", plugin.KindRefused, "refuses the recording (400): Invalid file format.\x00 It is", 0},
		"no JSON":        {413, "<h1>Too\nlarge</h1>", "", plugin.KindRefused, "refuses the recording (413): <h1>Too large</h1>", 0},
		"nothing":        {422, "", "", plugin.KindRefused, "it does not say why", 0},
		"a long story":   {400, long, "", plugin.KindRefused, "long long", 0},
		"the key quoted": {400, "not with " + secret, "", plugin.KindRefused, "not with [key]", 0},
		"a wrong key":    {401, `{"error": {"message": "Incorrect API key provided: ` + secret + `"}}`, "", plugin.KindRefused, "does not accept this node's key (401)", 0},
		"no right":       {403, "", "", plugin.KindRefused, "does not accept this node's key (403)", 0},
		"busy":           {429, "{}", "7", plugin.KindUnavailable, "answers 429 Too Many Requests", 7 * time.Second},
		"busy until":     {503, "", "DATE", plugin.KindUnavailable, "answers 503", time.Hour},
		"busy, it says":  {429, "", "soon", plugin.KindUnavailable, "answers 429", 0},
		"busy, negative": {429, "", "-5", plugin.KindUnavailable, "answers 429", 0},
		"broken":         {500, "trace", "", plugin.KindUnavailable, "answers 500 Internal Server Error", 0},
		"a slow client":  {408, "", "", plugin.KindUnavailable, "answers 408", 0},
		"accepted":       {202, "", "", plugin.KindUnavailable, "answers 202", 0},
		"another page":   {200, "<html>", "", plugin.KindUnavailable, "in no way that is understood", 0},
		"no text":        {200, `{"texts": 1}`, "", plugin.KindUnavailable, "in no way that is understood", 0},
		"too much":       {200, `{"text": "` + strings.Repeat("x", 9<<20) + `"}`, "", plugin.KindRefused, "more than 8388608 bytes", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				after := test.retryAfter
				if after == "DATE" {
					after = time.Now().Add(time.Hour + time.Second).UTC().Format(http.TimeFormat)
				}
				if after != "" {
					w.Header().Set("Retry-After", after)
				}
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			})
			a, _ := recording(1000, "wav")
			_, err := transcriber(base, "whisper-1").Transcribe(t.Context(), a)
			var refused *plugin.Error
			if !errors.As(err, &refused) || refused.Kind != test.kind || !strings.Contains(refused.Reason, test.says) {
				t.Fatalf("got %v (%+v), want kind %d, %q", err, refused, test.kind, test.says)
			}
			if d := refused.RetryAfter - test.wait; d < -time.Second || d > time.Second {
				t.Errorf("retry after %v, want %v", refused.RetryAfter, test.wait)
			}
			if len(refused.Reason) > 400 || strings.Contains(err.Error(), secret) {
				t.Errorf("says %d bytes, or the key: %.500s", len(refused.Reason), err)
			}
		})
	}
}

// TestRedirectsAreNotFollowed: neither the key nor the recording goes to another address.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			var reached atomic.Bool
			other := serve(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				http.Redirect(w, r, other+r.URL.Path, code)
			})
			a, _ := recording(10, "wav")
			_, err := transcriber(base, "whisper-1").Transcribe(t.Context(), a)
			var refused *plugin.Error
			if !errors.As(err, &refused) || refused.Kind != plugin.KindRefused || !strings.Contains(refused.Reason, "audio.openai.base_url") {
				t.Errorf("got %v", err)
			}
			if reached.Load() {
				t.Error("the other address was asked")
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	cut := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"text": "half of`)
	})
	for name, base := range map[string]string{"no server": s.URL, "an answer that breaks off": cut} {
		a, open := recording(1000, "wav")
		_, err := transcriber(base, "whisper-1").Transcribe(t.Context(), a)
		var refused *plugin.Error
		if !errors.As(err, &refused) || refused.Kind != plugin.KindUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		waitClosed(t, open)
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	base := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	a, _ := recording(1000, "wav")
	if _, err := transcriber(base, "whisper-1").Transcribe(ctx, a); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestARecordingThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	base := serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	gone := plugin.Refused("it is gone")
	a := plugin.Audio{Format: "wav", Size: 1, Open: func(context.Context) (io.ReadCloser, error) { return nil, gone }}
	if _, err := transcriber(base, "whisper-1").Transcribe(t.Context(), a); !errors.Is(err, gone) || asked.Load() {
		t.Errorf("got %v, asked %v", err, asked.Load())
	}
}

// TestARecordingIsNotHeldInMemory: what is sent is read as it is sent.
func TestARecordingIsNotHeldInMemory(t *testing.T) {
	t.Parallel()
	const size = 1 << 26
	var length, got int64
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		length = r.ContentLength
		got, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{"text": "long"}`)
	})
	var most int
	a := plugin.Audio{Format: "wav", Size: size, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{&most}, size)), nil
	}}
	if _, err := transcriber(base, "whisper-1").Transcribe(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if got != length || got < size || most > 1<<20 {
		t.Errorf("%d bytes arrived of %d, read up to %d at a time", got, length, most)
	}
}

// zeros has no end, and notes the largest read.
type zeros struct{ most *int }

func (z zeros) Read(p []byte) (int, error) {
	*z.most = max(*z.most, len(p))
	return len(p), nil
}

func FuzzAnswer(f *testing.F) {
	var answer []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	}))
	f.Cleanup(s.Close)
	tr := transcriber(s.URL, "whisper-1")
	f.Add([]byte(`{"text": "x", "segments": [{"start": 0, "end": 1e308, "avg_logprob": -1e308}]}`))
	f.Add([]byte(`{"text": "x", "segments": [{"start": -1e308, "end": 1e308, "avg_logprob": -1}]}`))
	f.Add([]byte(`{"text": null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		answer = b
		a, _ := recording(1, "wav")
		got, err := tr.Transcribe(t.Context(), a)
		if err == nil && !(got.Confidence >= 0 && got.Confidence <= 1) {
			t.Errorf("confidence %v", got.Confidence)
		}
	})
}
