package chat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// UploadAudioFile takes opus, a tenth of it every 600 ms.
func (r *room) UploadAudioFile(ctx context.Context, path string, opts client.UploadOptions) (*imv1.UploadAudioResponse, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("client: upload: %w", err)
	}
	if opts.Format != "opus" {
		return nil, status.Errorf(codes.InvalidArgument, "format %q is not taken; opus is", opts.Format)
	}
	total := int64(len(data))
	for i := range int64(10) {
		select {
		case <-time.After(600 * time.Millisecond):
		case <-ctx.Done():
			r.mu.Lock()
			r.cut = append(r.cut, filepath.Base(path))
			r.mu.Unlock()
			return nil, ctx.Err()
		}
		opts.Progress((i+1)*total/10, total)
	}
	return &imv1.UploadAudioResponse{AudioId: "id-" + opts.RoomID, AudioUrl: "http://host/audio/id-" + opts.RoomID}, nil
}

// recorded makes a file of 2,000 bytes that is called so.
func recorded(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, make([]byte, 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const entered = "-- room lobby: 3 members, online: you, Bobby (bob)"

// TestAScriptSendsARecording: its next line waits, and everybody gets content that programs can read.
func TestAScriptSendsARecording(t *testing.T) {
	t.Parallel()
	path := recorded(t, "my voice.Opus")
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		out, err := talk(t, r, func(_ *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			fmt.Fprintf(typed, "/audio  %s \nwhat do you think?\n", path)
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		expect(t, out, entered,
			"-- sending my voice.Opus, 2.0 KiB",
			"-- my voice.Opus: 20% of 2.0 KiB", "-- my voice.Opus: 40% of 2.0 KiB",
			"-- my voice.Opus: 60% of 2.0 KiB", "-- my voice.Opus: 80% of 2.0 KiB",
			"12:02 [1] Al (you): [audio] opus, 2.0 KiB http://host/audio/id-lobby",
			"12:02 [2] Al (you): what do you think?",
		)
		want := `lobby: {"audio_id":"id-lobby","audio_url":"http://host/audio/id-lobby","format":"opus","size":2000}|lobby: what do you think?`
		if got := strings.Join(r.sent, "|"); got != want {
			t.Errorf("sent %s", got)
		}
	})
}

// TestTypingGoesOnDuringAnUpload, in another room too; the recording goes where it was sent to.
func TestTypingGoesOnDuringAnUpload(t *testing.T) {
	t.Parallel()
	path := recorded(t, "long.opus")
	synctest.Test(t, func(t *testing.T) {
		r := &room{terminal: true}
		out, err := talk(t, r, func(_ *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			fmt.Fprintf(typed, "/audio '%s'\nmeanwhile\n/join dev\n", path)
			time.Sleep(time.Minute)
			fmt.Fprint(typed, "/quit\n")
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		if !strings.HasSuffix(out, "12:02 #lobby [2] Al (you): [audio] opus, 2.0 KiB http://host/audio/id-lobby\n") {
			t.Errorf("output:\n%s", out)
		}
		if len(r.sent) != 2 || r.sent[0] != "lobby: meanwhile" || !strings.HasPrefix(r.sent[1], "lobby: {") {
			t.Errorf("sent %q", r.sent)
		}
	})
}

// TestLeavingEndsAnUpload, by command and by hanging up.
func TestLeavingEndsAnUpload(t *testing.T) {
	t.Parallel()
	path := recorded(t, "long.opus")
	for _, leave := range []string{"/quit\n", ""} {
		synctest.Test(t, func(t *testing.T) {
			r := &room{terminal: true}
			begun := time.Now()
			out, err := talk(t, r, func(_ *Chat, typed io.Writer) {
				time.Sleep(2 * quiet)
				fmt.Fprintf(typed, "/audio %s\n/audio %s\n%s", path, path, leave)
			})
			if err != nil || time.Since(begun) > time.Second {
				t.Errorf("%q: %v, after %s", leave, err, time.Since(begun))
			}
			if !strings.HasSuffix(out, "-- 2 uploads given up\n") {
				t.Errorf("output:\n%s", out)
			}
			synctest.Wait()
			if len(r.sent) > 0 || len(r.cut) != 2 {
				t.Errorf("sent %q, cut %q", r.sent, r.cut)
			}
		})
	}
}

// TestRecordingsThatCannotBeSent: one clear line each, and a script fails.
func TestRecordingsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, size := range map[string]int{"a.exe": 1, "empty.opus": 0, "nameless": 1, "muted.opus": 1} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ path, want string }{
		{dir + "/none.opus", "not sent: there is no file " + dir + "/none.opus"},
		{dir, "not sent: " + dir + " is a folder"},
		{dir + "/a.exe/b.opus", "not sent: " + dir + "/a.exe/b.opus: not a directory"},
		{"/dev/null", "not sent: /dev/null is not a regular file"},
		{dir + "/empty.opus", "not sent: " + dir + "/empty.opus is empty"},
		{dir + "/nameless", "not sent: " + dir + "/nameless has no extension that says its format, such as .opus or .mp3"},
		{dir + "/a.exe", `a.exe is not sent: format "exe" is not taken; opus is (InvalidArgument)`},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &room{}
			out, err := talk(t, r, func(_ *Chat, typed io.Writer) {
				time.Sleep(2 * quiet)
				fmt.Fprintf(typed, "/audio %s\n", test.path)
			})
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if !errors.Is(err, ErrUnsent) || lines[len(lines)-1] != "-- "+test.want || len(r.sent) > 0 {
				t.Errorf("%s: %v, sent %q, output:\n%s", test.path, err, r.sent, out)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	t.Setenv("HOME", "/home/al")
	for argument, want := range map[string]string{
		"a b.opus": "a b.opus", `"a b.opus"`: "a b.opus", "'a b.opus'": "a b.opus", `"a`: `"a`, `"`: `"`,
		"~": "/home/al", "~/a b.opus": "/home/al/a b.opus", "'~/x.opus'": "/home/al/x.opus",
		"~bob/x.opus": "~bob/x.opus", "a~": "a~",
	} {
		if got, err := expand(argument); got != want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", argument, got, err, want)
		}
	}
}

// event is what a node tells a room of bob's recording.
func event(kind string, data map[string]string) *imv1.MessageResponse {
	content, err := proto.Marshal(&imv1.SystemContent{EventType: kind, EventData: data})
	if err != nil {
		panic(err) // only invalid UTF-8 would be one
	}
	return &imv1.MessageResponse{
		FromUserId: "bob", RoomId: "lobby", Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: content,
		Metadata: map[string]string{"event_type": kind, "audio_id": "a1"}, Timestamp: timestamppb.New(noon),
	}
}

func TestRecordingLines(t *testing.T) {
	t.Parallel()
	said := func(content string) *imv1.MessageResponse {
		return &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_AUDIO, RoomId: "lobby", Content: []byte(content)}
	}
	binary, err := proto.Marshal(&imv1.AudioContent{
		AudioId: "a1", AudioUrl: "http://h/audio/a1", Duration: 3.51, Format: "mp3", Size: 3 << 20, Transcription: "hi",
	})
	if err != nil {
		t.Fatal(err)
	}
	broken := event("transcript_completed", nil)
	broken.Content = []byte("\xff\xff")
	for _, test := range []struct {
		name string
		msg  *imv1.MessageResponse
		want string
	}{
		{"JSON", said(`{"audio_id":"a1","audio_url":"http://h/audio/a1","duration":75.2,"format":"opus","size":1536,"more":[1]}`),
			"bob: [audio] opus, 1.5 KiB, 1m15s http://h/audio/a1"},
		{"protobuf", said(string(binary)), `bob: [audio] mp3, 3.0 MiB, 3.5s http://h/audio/a1 "hi"`},
		{"an id alone", said(`{"audio_id":"a1","duration":30.5}`), "bob: [audio] 31s a1"},
		{"nonsense", said(`{"audio_id":7}`), `bob: [audio] {"audio_id":7}`},
		{"text", said("listen"), "bob: [audio] listen"},
		{"absurd", said(`{"audio_id":"a1","duration":1e300,"size":-1}`), "bob: [audio] a1"},
		{"steering", said(`{"audio_id":"a\u001b[2J","format":"\u202ex\nbob: y"}`), "bob: [audio] \ufffdx\n      bob: y a\ufffd[2J"},
		{"transcript", event("transcript_completed", map[string]string{"text": "good\nmorning"}), "12:01 ! bob says in the recording: good\n      morning"},
		{"silence", event("transcript_completed", map[string]string{"text": ""}), "12:01 ! nothing is said in bob's recording"},
		{"a long transcript", event("transcript_completed", nil), "12:01 ! the transcript of bob's recording is ready, and too long for a message"},
		{"no transcript", event("transcript_failed", map[string]string{"reason": "nobody\x1b[2J speaks"}), "12:01 ! no transcript of bob's recording: nobody\ufffd[2J speaks"},
		{"another event", event("came", nil), "12:01 ! \n      \ufffdcame"}, // protobuf is not for people
		{"unreadable", broken, "12:01 ! \ufffd\ufffd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := plainStyle().Message(test.msg, "bob", ""); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		1: "1 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 32 << 20: "32.0 MiB", 1 << 30: "1.0 GiB", 1<<63 - 1: "8388608.0 TiB",
	} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
