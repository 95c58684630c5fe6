package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
)

// signed asks for an address of a recording.
func signed(t *testing.T, b *bench, user, id string, seconds int64) (*imv1.GetAudioURLResponse, error) {
	t.Helper()
	return imv1.NewIMServiceClient(b.im).GetAudioURL(as(t, user), &imv1.GetAudioURLRequest{AudioId: id, ValidSeconds: seconds})
}

func TestSignedURLNeedsNoToken(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	up := recorded(t, b)
	resp, err := signed(t, b, "alice", up.GetAudioId(), 60)
	if err != nil {
		t.Fatal(err)
	}
	left := time.Until(resp.GetExpiresAt().AsTime())
	if resp.GetStatus() == nil || left < 30*time.Second || left > time.Minute || !strings.HasPrefix(resp.GetUrl(), up.GetAudioUrl()+"?") {
		t.Fatalf("got %v, good for %s", resp, left)
	}
	for name, test := range map[string]struct {
		method  string
		headers []string
		code    int
		body    string
	}{
		"whole":    {http.MethodGet, nil, http.StatusOK, "0123456789"},
		"head":     {http.MethodHead, nil, http.StatusOK, ""},
		"a part":   {http.MethodGet, []string{"Range", "bytes=2-4"}, http.StatusPartialContent, "234"},
		"a member": {http.MethodGet, []string{"User-Id", "alice"}, http.StatusOK, "0123456789"},
	} {
		code, _, body := fetch(t, test.method, resp.GetUrl(), test.headers...)
		if code != test.code || body != test.body {
			t.Errorf("%s: %d %q", name, code, body)
		}
	}
	_, header, _ := fetch(t, http.MethodHead, resp.GetUrl())
	if got := header.Get("Cache-Control"); !strings.HasPrefix(got, "private, max-age=") || strings.Contains(got, "31536000") {
		t.Errorf("Cache-Control %q of an address that expires", got)
	}
	broken := strings.Replace(resp.GetUrl(), "sig=", "sig=A", 1)
	code, _, body := fetch(t, http.MethodGet, broken)
	if code != http.StatusForbidden || !strings.Contains(body, "AUDIO_URL_INVALID") || !strings.Contains(body, "GetAudioURL") {
		t.Errorf("changed: %d %s", code, body)
	}
	// Who can prove who he is fetches it all the same, as a member.
	if code, _, body := fetch(t, http.MethodGet, broken, "User-Id", "alice"); code != http.StatusOK || body != "0123456789" {
		t.Errorf("changed, by a member: %d %s", code, body)
	}
	if code, _, body := fetch(t, http.MethodGet, broken+"&user-id=eve"); code != http.StatusForbidden || !strings.Contains(body, "NOT_A_MEMBER") {
		t.Errorf("changed, by nobody's member: %d %s", code, body)
	}
}

func TestSignedURLExpires(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	up := recorded(t, b)
	resp, err := signed(t, b, "alice", up.GetAudioId(), 1)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the address", func() bool {
		code, _, body := fetch(t, http.MethodGet, resp.GetUrl())
		return code == http.StatusForbidden && strings.Contains(body, "AUDIO_URL_EXPIRED")
	})
}

func TestSignedURLRefusals(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t, conf.Override{Path: "audio.url.lifetime", Value: "2m"})
	id := recorded(t, b).GetAudioId()
	for name, test := range map[string]struct {
		user, id string
		seconds  int64
		code     codes.Code
		reason   string
	}{
		"no member":       {"eve", id, 0, codes.PermissionDenied, "NOT_A_MEMBER"},
		"unknown":         {"alice", "x", 0, codes.NotFound, "AUDIO_NOT_FOUND"},
		"too long":        {"alice", id, 121, codes.InvalidArgument, "AUDIO_URL_LIFETIME"},
		"very much":       {"alice", id, 1 << 62, codes.InvalidArgument, "AUDIO_URL_LIFETIME"},
		"less than none":  {"alice", id, -5, codes.InvalidArgument, "AUDIO_URL_LIFETIME"},
		"without an id":   {"alice", "", 0, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"by who is not's": {"refused", id, 0, codes.Unauthenticated, "UNAUTHENTICATED"},
	} {
		_, err := signed(t, b, test.user, test.id, test.seconds)
		t.Run(name, func(t *testing.T) { wantRefused(t, err, test.code, test.reason) })
	}
}

func TestSignedUploads(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t, conf.Override{Path: "audio.url.sign_uploads", Value: "true"},
		conf.Override{Path: "server.http.public_url", Value: "https://chat.example.com/im/"})
	up := recorded(t, b)
	rest, ok := strings.CutPrefix(up.GetAudioUrl(), "https://chat.example.com/im/audio/"+up.GetAudioId()+"?")
	if !ok {
		t.Fatalf("got %s", up.GetAudioUrl())
	}
	if code, _, body := fetch(t, http.MethodGet, b.http+"/audio/"+up.GetAudioId()+"?"+rest); code != http.StatusOK || body != "0123456789" {
		t.Errorf("%d %s", code, body)
	}
}

func TestManyRangesAtOnce(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	url := recorded(t, b).GetAudioUrl()
	code, header, body := fetch(t, http.MethodGet, url, "User-Id", "alice", "Range", "bytes=0-1,4-5,-1")
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if code != http.StatusPartialContent || media != "multipart/byteranges" || err != nil {
		t.Fatalf("%d %s, %v", code, media, err)
	}
	parts := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for _, want := range []string{"01", "45", "9"} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(part); string(got) != want || err != nil || part.Header.Get("Content-Type") != "audio/mpeg" {
			t.Errorf("%q %v, %v; want %q", got, part.Header, err, want)
		}
	}
	code, _, body = fetch(t, http.MethodGet, url, "User-Id", "alice", "Range", "bytes=5-2")
	if code != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a range that is none: %d %s", code, body)
	}
}

// TestUploadSaysWhatTheFileIs: format, length and waveform are the file's own, and a wrong format is refused.
func TestUploadSaysWhatTheFileIs(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	sound, err := os.ReadFile("../recording/testdata/opus.ogg")
	if err != nil {
		t.Fatal(err)
	}
	meta := spoken()
	meta.Format, meta.Size, meta.Duration = "opus", int64(len(sound)), 99
	up, err := upload(t, b, "alice", metadataFrame(meta), chunkFrame(sound))
	if err != nil {
		t.Fatal(err)
	}
	if up.GetFormat() != "opus" || up.GetDuration() < 1.9 || up.GetDuration() > 2.1 {
		t.Errorf("format %s, %g s", up.GetFormat(), up.GetDuration())
	}
	await(t, "a waveform", func() bool {
		_, header, _ := fetch(t, http.MethodHead, up.GetAudioUrl(), "User-Id", "alice")
		wave, err := base64.StdEncoding.DecodeString(header.Get("Audio-Waveform"))
		return err == nil && len(wave) == 64
	})
	if _, header, _ := fetch(t, http.MethodHead, up.GetAudioUrl(), "User-Id", "alice"); header.Get("Audio-Duration") != fmt.Sprintf("%.3f", up.GetDuration()) {
		t.Errorf("Audio-Duration %q", header.Get("Audio-Duration"))
	}
	meta.Format = "mp3"
	_, err = upload(t, b, "alice", metadataFrame(meta), chunkFrame(sound))
	wantRefused(t, err, codes.InvalidArgument, "AUDIO_FORMAT")
	if err == nil || !strings.Contains(err.Error(), "the file is opus") {
		t.Errorf("got %v", err)
	}
	files, err := os.ReadDir(b.blobs)
	if err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
	var refused struct{ Reason string }
	_, _, body := fetch(t, http.MethodGet, up.GetAudioUrl())
	if err := json.Unmarshal([]byte(body), &refused); err != nil || refused.Reason != "UNAUTHENTICATED" {
		t.Errorf("without a token: %s, %v", body, err)
	}
}
