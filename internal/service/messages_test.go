package service_test

import (
	"bytes"
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/service"
)

func only(t *testing.T, s *service.IM, seq int64) *imv1.MessageResponse {
	t.Helper()
	page, err := s.History(by(t, "alice"), &imv1.HistoryRequest{RoomId: "r", AfterSeq: at(seq - 1), Limit: 1})
	if err != nil || len(page.GetMessages()) != 1 || page.GetMessages()[0].GetSeq() != seq {
		t.Fatalf("message %d: %v, %v", seq, page, err)
	}
	return page.GetMessages()[0]
}

// TestRevisionsOfMessages: what the calls answer, and what those see who look back.
func TestRevisionsOfMessages(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	join(t, s, "bob", nil)
	sent, err := s.SendMessage(by(t, "bob"), &imv1.SendMessageRequest{
		RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("helo"), Mentions: []string{"alice", "alice"}, ExpiresInSeconds: 60,
	})
	if err != nil || sent.GetSeq() != 1 {
		t.Fatal(sent, err)
	}
	if m := only(t, s, 1); m.GetState() != nil || len(m.GetMentions()) != 1 || m.GetExpiresAt().AsTime().Sub(m.GetTimestamp().AsTime()).Seconds() != 60 {
		t.Errorf("said: %v", m)
	}
	edited, err := s.EditMessage(by(t, "bob"), &imv1.EditMessageRequest{RoomId: "r", Seq: 1, Content: []byte("hello"), MessageId: "e"})
	if err != nil || edited.GetSeq() != 2 || edited.GetState().GetEdits() != 1 || edited.GetState().GetVersion() != 1 || edited.GetStatus().GetMessage() != "ok" {
		t.Fatal(edited, err)
	}
	reacted, err := s.React(by(t, "alice"), &imv1.ReactRequest{RoomId: "r", Seq: 1, Reaction: "👋"})
	if err != nil || reacted.GetSeq() != 3 || len(reacted.GetState().GetReactions()) != 1 {
		t.Fatal(reacted, err)
	}
	m := only(t, s, 1)
	if string(m.GetContent()) != "hello" || !proto.Equal(m.GetState(), reacted.GetState()) || len(m.GetMentions()) != 0 {
		t.Errorf("edited: %v", m)
	}
	content := &imv1.SystemContent{}
	if event := only(t, s, 2); event.GetType() != imv1.MessageType_MESSAGE_TYPE_SYSTEM || event.GetFromUserId() != "bob" || event.GetMetadata()["event_type"] != "message_edited" {
		t.Errorf("told: %v", event)
	} else if err := proto.Unmarshal(event.GetContent(), content); err != nil || content.GetTargetSeq() != 1 || string(content.GetContent()) != "hello" ||
		!proto.Equal(content.GetState(), edited.GetState()) || content.GetEventData()["user_id"] != "bob" {
		t.Errorf("told: %v, %v", content, err)
	}
	list, err := s.ListReactions(by(t, "bob"), &imv1.ListReactionsRequest{RoomId: "r", Seq: 1})
	if err != nil || len(list.GetReactions()) != 1 || list.GetReactions()[0].GetUserId() != "alice" || list.GetReactions()[0].GetReaction() != "👋" || list.GetReactions()[0].GetAt() == nil {
		t.Errorf("reactions: %v, %v", list, err)
	}
	recalled, err := s.RecallMessage(by(t, "alice"), &imv1.RecallMessageRequest{RoomId: "r", Seq: 1, Reason: "off topic"}) // an admin
	if err != nil || recalled.GetSeq() != 4 || !recalled.GetState().GetRecalled() || recalled.GetState().GetRecalledBy() != "alice" {
		t.Fatal(recalled, err)
	}
	if m := only(t, s, 1); len(m.GetContent()) != 0 || !proto.Equal(m.GetState(), recalled.GetState()) {
		t.Errorf("recalled: %v", m)
	}
	if again, err := s.RecallMessage(by(t, "bob"), &imv1.RecallMessageRequest{RoomId: "r", Seq: 1}); err != nil || again.GetSeq() != 4 || !proto.Equal(again.GetState(), recalled.GetState()) {
		t.Errorf("again: %v, %v", again, err)
	}
}

func TestRevisionsRefused(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	join(t, s, "bob", nil)
	send(t, s, "alice", "")
	edit := func(ctx context.Context, req *imv1.EditMessageRequest) error {
		_, err := s.EditMessage(ctx, req)
		return err
	}
	recall := func(ctx context.Context, req *imv1.RecallMessageRequest) error {
		_, err := s.RecallMessage(ctx, req)
		return err
	}
	react := func(ctx context.Context, req *imv1.ReactRequest) error { _, err := s.React(ctx, req); return err }
	list := func(ctx context.Context, req *imv1.ListReactionsRequest) error {
		_, err := s.ListReactions(ctx, req)
		return err
	}
	for _, test := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{edit(by(t, "bob"), &imv1.EditMessageRequest{RoomId: "r", Seq: 1}), codes.PermissionDenied, "NOT_YOUR_MESSAGE"},
		{edit(by(t, "bob"), &imv1.EditMessageRequest{RoomId: "r", Seq: 1, UserId: "alice"}), codes.PermissionDenied, "FOREIGN_USER"},
		{edit(by(t, "alice"), &imv1.EditMessageRequest{RoomId: "r", Seq: 1, IfVersion: 1}), codes.Aborted, "VERSION_CONFLICT"},
		{edit(by(t, "alice"), &imv1.EditMessageRequest{RoomId: "r", Seq: -1}), codes.InvalidArgument, "INVALID_ARGUMENT"},
		{recall(by(t, "bob"), &imv1.RecallMessageRequest{RoomId: "r", Seq: 1}), codes.PermissionDenied, "ROLE_TOO_LOW"},
		{recall(t.Context(), &imv1.RecallMessageRequest{RoomId: "r", Seq: 1}), codes.InvalidArgument, "INVALID_ARGUMENT"},
		{react(by(t, "eve"), &imv1.ReactRequest{RoomId: "r", Seq: 1, Reaction: "x"}), codes.PermissionDenied, "NOT_A_MEMBER"},
		{react(by(t, "bob"), &imv1.ReactRequest{RoomId: "r", Seq: 2, Reaction: "x"}), codes.NotFound, "MESSAGE_NOT_FOUND"},
		{react(by(t, "bob"), &imv1.ReactRequest{RoomId: "r", Seq: 1, Reaction: "\x00"}), codes.InvalidArgument, "INVALID_ARGUMENT"},
		{list(by(t, "bob"), &imv1.ListReactionsRequest{RoomId: "r", Seq: 1, Limit: 1001}), codes.InvalidArgument, "INVALID_ARGUMENT"},
		{list(by(t, "bob"), &imv1.ListReactionsRequest{RoomId: "r", Seq: 1, PageToken: "!"}), codes.InvalidArgument, "INVALID_PAGE_TOKEN"},
		{list(by(t, "bob"), &imv1.ListReactionsRequest{RoomId: "x", Seq: 1}), codes.NotFound, "ROOM_NOT_FOUND"},
	} {
		wantRefused(t, test.err, test.code, test.reason)
	}
	for _, bad := range []*imv1.SendMessageRequest{{ReplyToSeq: 2}, {ReplyToSeq: -1}, {ExpiresInSeconds: -1}, {ExpiresInSeconds: 1 << 62}, {Mentions: []string{""}}} {
		bad.RoomId, bad.Type = "r", imv1.MessageType_MESSAGE_TYPE_TEXT
		if resp, err := s.SendMessage(by(t, "alice"), bad); err == nil {
			t.Errorf("%v: %v", bad, resp)
		}
	}
}

// TestATranscriptIsShownInItsMessage: whether the recording is sent before its transcript is there or afterwards, an
// edit that is nobody's brings the transcription, and the event of before tells of it as well.
func TestATranscriptIsShownInItsMessage(t *testing.T) {
	t.Parallel()
	on := make(chan struct{})
	s, log := newScribeIM(t, on)
	content, err := proto.Marshal(&imv1.AudioContent{AudioId: speech, Duration: 1.5})
	if err != nil {
		t.Fatal(err)
	}
	play := &imv1.SendMessageRequest{RoomId: "r", UserId: "alice", Type: imv1.MessageType_MESSAGE_TYPE_AUDIO, Content: content}
	if _, err := s.SendMessage(by(t, "alice"), play); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetAudioTranscript(by(t, "alice"), &imv1.TranscriptRequest{AudioId: speech}); err != nil {
		t.Fatal(err)
	}
	close(on)
	wantTranscribed := func(event *biz.Message, target int64) {
		t.Helper()
		told, audio := &imv1.SystemContent{}, &imv1.AudioContent{}
		if err := proto.Unmarshal(event.Content, told); err != nil || told.GetEventType() != string(biz.EventEdited) || told.GetTargetSeq() != target || event.Sender != "" {
			t.Fatalf("told %v by %q, %v", told, event.Sender, err)
		}
		m := only(t, s, target)
		if err := proto.Unmarshal(m.GetContent(), audio); err != nil || audio.GetTranscription() != "what was said" || audio.GetDuration() != 1.5 ||
			!bytes.Equal(told.GetContent(), m.GetContent()) || m.GetState().GetVersion() != 1 || m.GetState().GetEdits() != 0 {
			t.Errorf("message %v has %v, %v", m, audio, err)
		}
	}
	if m := told(t, log, 3); m.Metadata["event_type"] != string(biz.EventTranscriptCompleted) {
		t.Errorf("told %+v", m)
	}
	page, err := log.Page(t.Context(), "r", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantTranscribed(page[0], 1)
	if _, err := s.SendMessage(by(t, "alice"), play); err != nil {
		t.Fatal(err)
	}
	wantTranscribed(told(t, log, 5), 4)
}
