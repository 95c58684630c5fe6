package hermod

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/blob"
)

// uploaded puts a recording by alice, with its bytes, where a node that starts will find it.
func uploaded(t *testing.T, id biz.AudioID, transcribe bool) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	c, err := conf.Load(nil, conf.Override{Path: "data.dir", Value: os.Getenv("HERMOD_DATA_DIR")})
	if err != nil {
		t.Fatal(err)
	}
	db, closeDB, err := openStore(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB()
	blobs, err := blob.Open(filepath.Join(c.GetData().GetDir(), "blobs"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer blobs.Close()
	w, err := blobs.Create(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "sound"); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	a := biz.Audio{ID: id, Room: "r", User: "alice", Format: "opus", Size: 5, CreatedAt: time.Now()}
	if err := data.NewAudios(db).Add(t.Context(), a, transcribe); err != nil {
		t.Fatal(err)
	}
}

// transcript asks a node until a transcript has ended.
func (p *process) transcript(t *testing.T, id string) (got *imv1.TranscriptResponse) {
	t.Helper()
	await(t, "the transcript", func() bool {
		var err error
		got, err = p.im.GetAudioTranscript(as(t, "alice"), &imv1.TranscriptRequest{AudioId: id})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetTranscription().GetStatus() >= imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED
	})
	return got
}

// TestTranscription: a node is stopped while a service transcribes. The next one goes on, and the room
// is told once, the one who uploaded included, who was away.
func TestTranscription(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	const id = "0198c0de-0000-7000-8000-000000000001"
	before := start(t)
	before.join(t, "alice")
	before.open(t, "alice", "room-id", "r") // her cursor is at the head
	before.stop()
	uploaded(t, id, true)

	var calls atomic.Int32
	arrived := make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sesame" {
			t.Error("without the key")
		}
		file, header, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		sound, err := io.ReadAll(file)
		if err != nil || string(sound) != "sound" || header.Filename != "recording.ogg" {
			t.Errorf("got %q, %q, %v", header.Filename, sound, err)
		}
		if calls.Add(1) == 1 {
			close(arrived)
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, `{"text": "what was said"}`)
	}))
	t.Cleanup(service.Close)
	args := configured(t, "audio:", "  transcriber: openai", "  openai:", "    api_key: sesame", "    base_url: "+service.URL+"/v1")
	stopped := start(t, args...)
	<-arrived
	stopped.stop()

	p := start(t, args...)
	if got := p.transcript(t, id); got.GetTranscription().GetText() != "what was said" || got.GetStatus().GetCode() != 0 {
		t.Errorf("got %v", got)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls", n)
	}
	m, err := p.open(t, "alice", "room-id", "r").Recv()
	var said imv1.SystemContent
	if err != nil || proto.Unmarshal(m.GetContent(), &said) != nil {
		t.Fatalf("got %v, %v", m, err)
	}
	if m.GetType() != imv1.MessageType_MESSAGE_TYPE_SYSTEM || m.GetFromUserId() != "alice" || m.GetSeq() != 1 ||
		m.GetMetadata()["event_type"] != "transcript_completed" || m.GetMetadata()["audio_id"] != id ||
		said.GetEventType() != "transcript_completed" || said.GetEventData()["text"] != "what was said" {
		t.Errorf("told %v, %v", m, &said)
	}
}

// TestWithoutATranscriber a transcript fails, and says why.
func TestWithoutATranscriber(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	const id = "0198c0de-0000-7000-8000-000000000002"
	uploaded(t, id, false)
	p := start(t)
	p.join(t, "alice")
	got := p.transcript(t, id)
	want := "this node has no transcriber; the key audio.transcriber of its configuration sets one"
	if got.GetTranscription().GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_FAILED || got.GetStatus().GetCode() != 0 ||
		got.GetStatus().GetDetails()["reason"] != want {
		t.Errorf("got %v", got)
	}
}

func TestAnUnknownTranscriber(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	args := append(configured(t, "audio:", "  transcriber: magic"), loopback...)
	err := Run(t.Context(), args, io.Discard, io.Discard, Standard()...)
	var problems conf.Problems
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), `audio.transcriber: "magic" is not linked into this node; one of openai`) {
		t.Errorf("got %v", err)
	}
}
