package data

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data/datatest"
)

// censor is a biz.Interceptor that blackens a word, and refuses another one.
type censor struct{}

func (censor) Intercept(d *biz.Draft, _ biz.Speaker, _ biz.PayloadCheck, verdict func(error)) {
	if bytes.Contains(d.Content, []byte("worse")) {
		verdict(biz.Errorf(biz.KindPermissionDenied, "MESSAGE_REFUSED", "not here"))
		return
	}
	d.Content = bytes.ReplaceAll(d.Content, []byte("bad"), []byte("***"))
	verdict(nil)
}

// TestAnEditIsIntercepted: what may not be said may not be said by an edit either. A repeated edit is the same
// one, though another content was stored.
func TestAnEditIsIntercepted(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{Events: datatest.Events})
	messages := biz.NewInterceptedMessages(NewRooms(db), l, &recorder{}, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000}, censor{})
	revisions := biz.NewRevisions(messages, biz.NewHistory(NewHistory(db)), NewRevisions(db), nil, slog.New(slog.DiscardHandler))
	u := biz.Identity{User: "u"}
	done := make(chan error, 1)
	messages.Send(t.Context(), u, textDraft("r", "u", "", "fine"), func(_ biz.Receipt, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	edit := func(seq int64, content string) error {
		_, err := revisions.Edit(t.Context(), u, biz.EditRequest{Room: "r", Seq: seq, Content: []byte(content), ClientID: "id of " + content})
		return err
	}
	for range 2 {
		if err := edit(1, "a bad word"); err != nil {
			t.Fatal(err)
		}
	}
	said := func() string {
		page, err := l.Page(t.Context(), "r", 0, 10)
		if err != nil || len(page) != 2 || page[0].State == nil || page[0].State.Edits != 1 {
			t.Fatalf("%v, %v", page, err)
		}
		if bytes.Contains(page[1].Content, []byte("bad")) {
			t.Errorf("the event says %q", page[1].Content)
		}
		return string(page[0].Content)
	}
	if got := said(); got != "a *** word" {
		t.Errorf("it says %q", got)
	}
	if err := edit(1, "a worse word"); biz.AsError(err).Reason != "MESSAGE_REFUSED" {
		t.Errorf("a worse word: %v", err)
	}
	if err := edit(7, "a worse word"); biz.AsError(err).Reason != "MESSAGE_NOT_FOUND" {
		t.Errorf("of a message that is not there: %v", err)
	}
	if got := said(); got != "a *** word" {
		t.Errorf("it says %q afterwards", got)
	}
}
