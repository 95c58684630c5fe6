package imcall_test

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

func audioContent(tb testing.TB, c *imv1.AudioContent) []byte {
	tb.Helper()
	b, err := proto.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// FuzzTranscribed: whatever a client has sent as the content of an AUDIO message, a transcript is put into it once or
// not at all, and nothing else changes.
func FuzzTranscribed(f *testing.F) {
	f.Add(audioContent(f, &imv1.AudioContent{AudioId: "a", Duration: 1, Waveform: []byte{1}}), "said")
	f.Add(audioContent(f, &imv1.AudioContent{AudioId: "a", Transcription: "said"}), "said")
	f.Add([]byte(`{"audioId":"a"}`), "said")
	f.Add([]byte("\xff"), "\xff")
	f.Fuzz(func(t *testing.T, content []byte, text string) {
		with, changed := imcall.Transcribed(content, text)
		if !changed {
			if !bytes.Equal(with, content) {
				t.Errorf("%q has become %q", content, with)
			}
			return
		}
		c := &imv1.AudioContent{}
		if err := proto.Unmarshal(with, c); err != nil || c.GetTranscription() != text {
			t.Fatalf("%v, %v", c, err)
		}
		if imcall.AudioOf(imv1.MessageType_MESSAGE_TYPE_AUDIO, with) != imcall.AudioOf(imv1.MessageType_MESSAGE_TYPE_AUDIO, content) {
			t.Errorf("%q plays another recording than %q", with, content)
		}
		if _, again := imcall.Transcribed(with, text); again {
			t.Errorf("%q is changed again", with)
		}
	})
}

func TestWhatASenderAsksFor(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]time.Duration{0: 0, 5: 5 * time.Second, -7: -time.Second, 1 << 62: biz.MaxExpiry + time.Second} {
		if got := imcall.ExpiresIn(seconds); got != want {
			t.Errorf("%d seconds are %s", seconds, got)
		}
	}
	content := audioContent(t, &imv1.AudioContent{AudioId: "a"})
	if got := imcall.AudioOf(imv1.MessageType_MESSAGE_TYPE_AUDIO, content); got != "a" {
		t.Errorf("it plays %q", got)
	}
	if got := imcall.AudioOf(imv1.MessageType_MESSAGE_TYPE_TEXT, content); got != "" {
		t.Errorf("a text plays %q", got)
	}
}
