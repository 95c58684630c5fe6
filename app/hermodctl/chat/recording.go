package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
)

// audioContent is the content of an AUDIO message as JSON, which is how clients write an AudioContent.
type audioContent struct {
	ID         string  `json:"audio_id"`
	URL        string  `json:"audio_url,omitempty"`
	Duration   float64 `json:"duration,omitempty"` // seconds
	Format     string  `json:"format,omitempty"`
	Size       int64   `json:"size,omitempty"` // bytes
	Transcript string  `json:"transcription,omitempty"`
}

// readAudio understands both notations that clients use. False: neither.
func readAudio(content []byte) (a audioContent, ok bool) {
	if json.Unmarshal(content, &a) == nil {
		return a, a.ID != "" || a.URL != ""
	}
	var p imv1.AudioContent
	if proto.Unmarshal(content, &p) != nil {
		return audioContent{}, false
	}
	a = audioContent{
		ID: p.GetAudioId(), URL: p.GetAudioUrl(), Duration: p.GetDuration(),
		Format: p.GetFormat(), Size: p.GetSize(), Transcript: p.GetTranscription(),
	}
	return a, a.ID != "" || a.URL != ""
}

// audioText returns the text of an AUDIO message: what it is, then where it can be fetched.
func audioText(content []byte) string {
	a, ok := readAudio(content)
	if !ok {
		return "[audio] " + string(content)
	}
	parts := []string{"[audio]"}
	var what []string
	if a.Format != "" {
		what = append(what, a.Format)
	}
	if a.Size > 0 {
		what = append(what, byteSize(a.Size))
	}
	if a.Duration > 0 && a.Duration < maxDuration.Seconds() {
		what = append(what, playTime(a.Duration))
	}
	if len(what) > 0 {
		parts = append(parts, strings.Join(what, ", "))
	}
	if a.URL != "" {
		parts = append(parts, a.URL)
	} else {
		parts = append(parts, a.ID)
	}
	if a.Transcript != "" {
		parts = append(parts, fmt.Sprintf("%q", a.Transcript))
	}
	return strings.Join(parts, " ")
}

// What the node tells a room when a transcript has ended, in the name of who uploaded: docs/protocol.md.
const (
	metaEvent       = "event_type"
	eventTranscript = "transcript_completed"
	eventNone       = "transcript_failed"
)

// transcriptText returns the text of such an event. False: msg is another one, or not readable.
func transcriptText(msg *imv1.MessageResponse, name string) (string, bool) {
	event := msg.GetMetadata()[metaEvent]
	if msg.GetRoomId() == "" || event != eventTranscript && event != eventNone {
		return "", false
	}
	var said imv1.SystemContent
	if proto.Unmarshal(msg.GetContent(), &said) != nil {
		return "", false
	}
	text, whole := said.GetEventData()["text"]
	switch {
	case event == eventNone:
		return fmt.Sprintf("no transcript of %s's recording: %s", name, said.GetEventData()["reason"]), true
	case !whole:
		return fmt.Sprintf("the transcript of %s's recording is ready, and too long for a message", name), true
	case text == "":
		return fmt.Sprintf("nothing is said in %s's recording", name), true
	}
	return fmt.Sprintf("%s says in the recording: %s", name, text), true
}

// maxDuration is longer than any recording that is taken.
const maxDuration = 48 * time.Hour

func playTime(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// byteSize writes a size as people read it.
func byteSize(n int64) string {
	const step = 1 << 10
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/step, 0
	for ; size >= step && unit < len(units)-1; unit++ {
		size /= step
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}

const units = "KMGT"
