package imcall_test

import (
	"bytes"
	"errors"
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
	f.Add(audioContent(f, &imv1.AudioContent{AudioId: "a", Duration: 1, Waveform: []byte{1}}), "a", "said")
	f.Add(audioContent(f, &imv1.AudioContent{AudioId: "a", Transcription: "said"}), "a", "said")
	f.Add(audioContent(f, &imv1.AudioContent{AudioId: "a"}), "b", "said")
	f.Add([]byte(`{"audioId":"a"}`), "a", "said")
	f.Add([]byte("\xff"), "a", "\xff")
	f.Fuzz(func(t *testing.T, content []byte, audio, text string) {
		with, changed := imcall.Transcribed(content, biz.AudioID(audio), text)
		if !changed {
			if !bytes.Equal(with, content) {
				t.Errorf("%q has become %q", content, with)
			}
			return
		}
		before, after := &imv1.AudioContent{}, &imv1.AudioContent{}
		if err := errors.Join(proto.Unmarshal(content, before), proto.Unmarshal(with, after)); err != nil {
			t.Fatal(err)
		}
		if before.GetAudioId() != audio || after.GetTranscription() != text {
			t.Errorf("%v has become %v by the transcript %q of %q", before, after, text, audio)
		}
		if before.Transcription = text; !proto.Equal(before, after) {
			t.Errorf("something else has changed: %v, %v", before, after)
		}
		if _, again := imcall.Transcribed(with, biz.AudioID(audio), text); again {
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
}

// TestTranscribedPlaysIt: a message may refer to a recording without being one of it.
func TestTranscribedPlaysIt(t *testing.T) {
	t.Parallel()
	content := audioContent(t, &imv1.AudioContent{AudioId: "a", Duration: 1})
	if with, changed := imcall.Transcribed(content, "b", "said"); changed || !bytes.Equal(with, content) {
		t.Errorf("the transcript of another recording makes it %q", with)
	}
	want := audioContent(t, &imv1.AudioContent{AudioId: "a", Duration: 1, Transcription: "said"})
	if with, changed := imcall.Transcribed(content, "a", "said"); !changed || !bytes.Equal(with, want) {
		t.Errorf("its transcript makes it %q", with)
	}
}
