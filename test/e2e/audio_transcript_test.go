package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// claimed is how long a transcript that a killed node was at may wait for the next one, and a little
// more: docs/architecture.md.
const claimed = 90 * time.Second

// dictation is a service that speaks OpenAI's API. It answers a request when it is let.
type dictation struct {
	t      *testing.T
	URL    string
	begun  chan struct{} // one for every request, after its last byte
	answer chan string   // the text of the next answer

	mu    sync.Mutex
	heard [][]byte // recordings, in the order of the requests
}

func newDictation(t *testing.T) *dictation {
	t.Helper()
	d := &dictation{t: t, begun: make(chan struct{}, 100), answer: make(chan string, 100)}
	s := httptest.NewServer(http.HandlerFunc(d.serve))
	d.URL = s.URL
	t.Cleanup(s.Close)
	return d
}

func (d *dictation) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/audio/transcriptions" ||
		r.Header.Get("Authorization") != "Bearer sesame" || r.FormValue("model") != "small" {
		d.t.Errorf("the service is asked %s %s for model %q", r.Method, r.URL, r.FormValue("model"))
	}
	file, _, err := r.FormFile("file")
	if err != nil {
		d.t.Error(err)
		return
	}
	sound, err := io.ReadAll(file)
	if err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	d.heard = append(d.heard, sound)
	d.mu.Unlock()
	d.begun <- struct{}{}
	select {
	case text := <-d.answer:
		_ = json.NewEncoder(w).Encode(map[string]string{"text": text}) // a node that is gone asks again
	case <-r.Context().Done():
	}
}

// calls returns the recordings that were sent.
func (d *dictation) calls() [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.heard)
}

// config is that of a node whose rooms have everything transcribed by the service.
func (d *dictation) config() string {
	return "room: {defaults: {auto_transcribe: true}}\n" +
		"audio: {transcriber: openai, openai: {base_url: '" + d.URL + "/v1', api_key: sesame, model: small}}\n"
}

// hearing is what a member of a room is told of transcripts.
type hearing struct {
	mu   sync.Mutex
	told []string
}

func (h *hearing) message(m *imv1.MessageResponse) {
	event := m.GetMetadata()["event_type"]
	if event == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, eventLine(m))
}

// eventLine writes down an event that a room is told of.
func eventLine(m *imv1.MessageResponse) string {
	var said imv1.SystemContent
	if err := proto.Unmarshal(m.GetContent(), &said); err != nil {
		return err.Error()
	}
	data := said.GetEventData()
	if m.GetType() != imv1.MessageType_MESSAGE_TYPE_SYSTEM || m.GetRoomId() != "room" || m.GetSeq() == 0 ||
		said.GetEventType() != m.GetMetadata()["event_type"] || data["audio_id"] != m.GetMetadata()["audio_id"] {
		return "nonsense: " + m.String()
	}
	return said.GetEventType() + " " + data["audio_id"] + " by " + data["user_id"] + ": " + data["text"] + data["reason"]
}

func (h *hearing) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.told)
}

// hears waits until the member was told something, and wants that and nothing else.
func (h *hearing) hears(t *testing.T, want string) {
	t.Helper()
	eventually(t, "the room is told", func() bool { return len(h.all()) > 0 })
	if got := h.all(); !slices.Equal(got, []string{want}) {
		t.Errorf("told %q, want once %q", got, want)
	}
}

// statuses asks for a transcript until it has ended, and returns what it has been, without repetitions.
func statuses(t *testing.T, c *client.Client, id string) (seen []imv1.TranscriptStatus) {
	t.Helper()
	eventually(t, "the end of the transcript", func() bool {
		resp, err := c.GetAudioTranscript(within(t), id)
		if err != nil || resp.GetStatus().GetCode() != 0 {
			t.Fatalf("%v, %v", resp, err)
		}
		seen = append(seen, resp.GetTranscription().GetStatus())
		return seen[len(seen)-1] >= imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED
	})
	return slices.Compact(seen)
}

// TestTranscript: from the upload to what the room is told.
func TestTranscript(t *testing.T) {
	t.Parallel()
	d := newDictation(t)
	n := Start(t, d.config())
	join(t, n.Calls(), "room", "alice", "bob")
	var alices, bobs hearing
	alice := listener(t, n, "alice", alices.message)
	listener(t, n, "bob", bobs.message)
	sound := recording(100_000)
	up, err := alice.UploadAudio("room", sound, "opus", 3.5)
	if err != nil {
		t.Fatal(err)
	}
	id := up.GetAudioId()
	first, err := alice.GetAudioTranscript(within(t), id)
	if s := first.GetTranscription().GetStatus(); err != nil || s != imv1.TranscriptStatus_TRANSCRIPT_STATUS_PENDING && s != imv1.TranscriptStatus_TRANSCRIPT_STATUS_PROCESSING {
		t.Errorf("after the upload: %v, %v", first, err)
	}
	<-d.begun
	if now, err := alice.GetAudioTranscript(within(t), id); err != nil || now.GetTranscription().GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_PROCESSING {
		t.Errorf("during the transcription: %v, %v", now, err)
	}
	waited := make(chan *imv1.Transcription, 1)
	go func() {
		got, err := alice.WaitTranscript(within(t), id)
		if err != nil {
			t.Error(err)
		}
		waited <- got
	}()
	d.answer <- "good morning"
	if got := <-waited; got.GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED || got.GetText() != "good morning" || got.GetAudioId() != id {
		t.Errorf("waited for %v", got)
	}
	for _, member := range []*hearing{&alices, &bobs} {
		member.hears(t, "transcript_completed "+id+" by alice: good morning")
	}
	if calls := d.calls(); len(calls) != 1 || !bytes.Equal(calls[0], sound) {
		t.Errorf("%d calls, and not once with what was uploaded", len(calls))
	}
}

// TestTranscriptSurvivesKill: kill -9 in the middle of the transcription. The next start makes it, when
// the killed one's claim has run out, and the room is told once.
func TestTranscriptSurvivesKill(t *testing.T) {
	t.Parallel()
	d := newDictation(t)
	n := Start(t, d.config())
	join(t, n.Calls(), "room", "alice", "bob")
	var alices hearing
	alice := listener(t, n, "alice", alices.message)
	sound := recording(50_000)
	up, err := alice.UploadAudio("room", sound, "opus", 3.5)
	if err != nil {
		t.Fatal(err)
	}
	id := up.GetAudioId()
	<-d.begun
	ctx, cancel := context.WithTimeout(t.Context(), claimed)
	defer cancel()
	waited := make(chan *imv1.Transcription, 1)
	go func() { // it does not mind that the node is away
		got, err := alice.WaitTranscript(ctx, id)
		if err != nil {
			t.Error(err)
		}
		waited <- got
	}()
	n.Kill()
	n.Boot()
	n.eventually("alice is back", func() bool { return alice.IsConnected() })
	if now, err := alice.GetAudioTranscript(within(t), id); err != nil || now.GetTranscription().GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_PROCESSING {
		t.Errorf("after the restart: %v, %v", now, err)
	}
	d.answer <- "good morning"
	if got := <-waited; got.GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED || got.GetText() != "good morning" {
		t.Errorf("waited for %v", got)
	}
	want := "transcript_completed " + id + " by alice: good morning"
	alices.hears(t, want)
	n.Kill()
	n.Boot()
	if calls := d.calls(); len(calls) != 2 || !bytes.Equal(calls[1], sound) {
		t.Errorf("%d calls; the second one must have all of the recording", len(calls))
	}
	// Whoever was away reads the room's log from its beginning.
	bob := n.Connect(Hello{User: "bob", Room: "room"})
	if log := append(bob.Take(1), bob.Flush()...); len(log) != 1 || eventLine(log[0].MessageResponse) != want {
		t.Errorf("the log has %v", log)
	}
	alices.hears(t, want)
}

// TestNobodyTranscribes: with no transcriber a transcript fails, which is no failure of the call that
// asks for it, and everybody is told why.
func TestNobodyTranscribes(t *testing.T) {
	t.Parallel()
	n := Start(t, "room: {defaults: {auto_transcribe: true}}\n")
	join(t, n.Calls(), "room", "alice", "bob")
	var bobs hearing
	listener(t, n, "bob", bobs.message)
	alice := listener(t, n, "alice", nil)
	up, err := alice.UploadAudio("room", recording(1000), "opus", 0)
	if err != nil {
		t.Fatal(err)
	}
	const why = "this node has no transcriber; the key audio.transcriber of its configuration sets one"
	_, err = alice.WaitTranscript(within(t), up.GetAudioId())
	failed, ok := errors.AsType[*client.TranscriptError](err)
	if !ok || failed.Reason != why || failed.AudioID != up.GetAudioId() {
		t.Errorf("WaitTranscript: %v", err)
	}
	if seen := statuses(t, alice, up.GetAudioId()); !slices.Equal(seen, []imv1.TranscriptStatus{imv1.TranscriptStatus_TRANSCRIPT_STATUS_FAILED}) {
		t.Errorf("it was %v after it had failed", seen)
	}
	got, err := alice.GetAudioTranscript(within(t), up.GetAudioId())
	if s := got.GetStatus(); err != nil || s == nil || s.GetCode() != 0 || s.GetDetails()["reason"] != why || !strings.Contains(s.GetMessage(), why) {
		t.Errorf("got %v, %v", got, err)
	}
	bobs.hears(t, "transcript_failed "+up.GetAudioId()+" by alice: "+why)
}
