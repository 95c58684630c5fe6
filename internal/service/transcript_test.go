package service_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/plugin"
)

// The recordings of a scribe's room.
const (
	speech = "019ab000-0000-7000-8000-000000000001"
	noise  = "019ab000-0000-7000-8000-000000000002"
)

// scribe answers by the recording's id, once it is let go on.
type scribe struct{ on chan struct{} }

func (s scribe) Name() string { return "scribe" }

func (s scribe) Transcribe(ctx context.Context, a plugin.Audio) (plugin.Transcript, error) {
	select {
	case <-s.on:
	case <-ctx.Done():
		return plugin.Transcript{}, ctx.Err()
	}
	if a.ID == noise {
		return plugin.Transcript{}, plugin.Refused("there is only noise")
	}
	return plugin.Transcript{Text: "what was said", Confidence: 0.75}, nil
}

// newScribeIM returns the service on a store of its own, in whose room r alice has uploaded, with a
// node that transcribes when on is closed.
func newScribeIM(t *testing.T, on chan struct{}) (*service.IM, *data.MessageLog) {
	t.Helper()
	db, err := data.Open(t.Context(), data.Options{Dir: t.TempDir(), Synchronous: "normal"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{}
	log, err := data.NewMessageLog(db, l, data.LogOptions{Events: im.EventContent}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	rooms, members, audios, transcripts := data.NewRooms(db), data.NewMembers(db), data.NewAudios(db), data.NewTranscripts(db)
	messages := biz.NewMessages(rooms, log, l, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 100})
	history := biz.NewHistory(data.NewHistory(db))
	revisions := biz.NewRevisions(messages, history, data.NewRevisions(db), imcall.Transcribed, quiet)
	stores := biz.TranscriptStores{Transcripts: transcripts, Queue: transcripts, Audios: audios, Rooms: rooms, Members: members, Heard: revisions}
	rules := biz.TranscriptRules{Workers: 1, Timeout: time.Minute, Attempts: 2, Backoff: time.Second}
	made := biz.NewTranscripts(stores, scribe{on}, messages, im.EventContent, rules, service.NewTranscriptMetrics(), quiet)
	ctx, cancel := context.WithCancel(context.Background())
	var running errgroup.Group
	running.Go(func() error { return made.Run(ctx) })
	running.Go(func() error { return log.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(running.Wait(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	s := service.NewIM(service.IMRules{
		Rooms:    biz.NewRooms(rooms, members, log, l, l, biz.RoomRules{AutoCreate: true, Defaults: biz.DefaultRoomConfig()}),
		Messages: messages, History: history, Transcripts: made, Revisions: revisions,
	}, nil, readiness{}, quiet)
	join(t, s, "alice", nil)
	join(t, s, "bob", nil)
	for _, id := range []biz.AudioID{speech, noise} {
		a := biz.Audio{ID: id, Room: "r", User: "alice", Format: "opus", Size: 1, CreatedAt: time.Now()}
		if err := audios.Add(t.Context(), a, false); err != nil {
			t.Fatal(err)
		}
	}
	return s, log
}

// told waits until the room was told something, and returns the last of it.
func told(t *testing.T, log *data.MessageLog, n int) *biz.Message {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		page, err := log.Page(t.Context(), "r", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == n {
			return page[n-1]
		}
	}
	t.Fatalf("the room is not told %d things", n)
	return nil
}

func TestGetAudioTranscript(t *testing.T) {
	t.Parallel()
	on := make(chan struct{})
	s, log := newScribeIM(t, on)
	ask := func(id string) *imv1.TranscriptResponse {
		t.Helper()
		resp, err := s.GetAudioTranscript(by(t, "bob"), &imv1.TranscriptRequest{AudioId: id, UserId: "bob"})
		if err != nil || resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 || resp.GetTranscription().GetAudioId() != id {
			t.Fatalf("got %v, %v", resp, err)
		}
		return resp
	}
	first := ask(speech).GetTranscription()
	if first.GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_PENDING || first.GetCreatedAt() == nil || first.GetText() != "" {
		t.Errorf("at first it is %v", first)
	}
	close(on)
	if m := told(t, log, 1); m.Type != biz.TypeSystem || m.Metadata["event_type"] != string(biz.EventTranscriptCompleted) || m.Metadata["audio_id"] != speech {
		t.Errorf("told %+v", m)
	}
	got := ask(speech)
	tr := got.GetTranscription()
	if tr.GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED || tr.GetText() != "what was said" || tr.GetConfidence() != 0.75 ||
		!tr.GetCreatedAt().AsTime().Equal(first.GetCreatedAt().AsTime()) || tr.GetUpdatedAt().AsTime().Before(tr.GetCreatedAt().AsTime()) ||
		got.GetStatus().GetMessage() != "ok" {
		t.Errorf("got %v", got)
	}
}

// TestATranscriptThatFailed is an answer, with the reason in its status.
func TestATranscriptThatFailed(t *testing.T) {
	t.Parallel()
	on := make(chan struct{})
	close(on)
	s, log := newScribeIM(t, on)
	req := &imv1.TranscriptRequest{AudioId: noise}
	if _, err := s.GetAudioTranscript(by(t, "alice"), req); err != nil {
		t.Fatal(err)
	}
	if m := told(t, log, 1); m.Metadata["event_type"] != string(biz.EventTranscriptFailed) {
		t.Errorf("told %+v", m)
	}
	got, err := s.GetAudioTranscript(by(t, "alice"), req)
	if err != nil || got.GetTranscription().GetStatus() != imv1.TranscriptStatus_TRANSCRIPT_STATUS_FAILED || got.GetStatus().GetCode() != 0 ||
		got.GetStatus().GetMessage() != "transcription failed: there is only noise" || got.GetStatus().GetDetails()["reason"] != "there is only noise" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestGetAudioTranscriptRefusals(t *testing.T) {
	t.Parallel()
	s, _ := newScribeIM(t, make(chan struct{}))
	for _, test := range []struct {
		by     biz.UserID
		req    *imv1.TranscriptRequest
		code   codes.Code
		reason string
	}{
		{"bob", &imv1.TranscriptRequest{AudioId: "unknown"}, codes.NotFound, "AUDIO_NOT_FOUND"},
		{"bob", &imv1.TranscriptRequest{}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		{"bob", &imv1.TranscriptRequest{AudioId: speech, UserId: "alice"}, codes.PermissionDenied, "FOREIGN_USER"},
		{"eve", &imv1.TranscriptRequest{AudioId: speech}, codes.PermissionDenied, "NOT_A_MEMBER"},
		{"", &imv1.TranscriptRequest{AudioId: speech}, codes.Unauthenticated, "UNAUTHENTICATED"},
	} {
		resp, err := s.GetAudioTranscript(by(t, test.by), test.req)
		if err == nil {
			t.Errorf("%v by %q: %v", test.req, test.by, resp)
		}
		wantRefused(t, err, test.code, test.reason)
	}
}
