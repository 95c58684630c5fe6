package data

import (
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data/datatest"
)

// TestRecallErasesEveryRow: after a recall, and when a message's time is over, no row of the database has what it
// said, in whichever edit, nor whom it mentioned.
func TestRecallErasesEveryRow(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		l, _ := runLog(t, db, &recorder{}, LogOptions{Events: datatest.Events})
		messages := biz.NewMessages(NewRooms(db), l, &recorder{}, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000})
		revisions := biz.NewRevisions(messages, biz.NewHistory(NewHistory(db)), NewRevisions(db), func(b []byte, _ biz.AudioID, text string) ([]byte, bool) {
			return append(b, text...), true
		}, slog.New(slog.DiscardHandler))
		u := biz.Identity{User: "u"}
		send := func(d *biz.Draft) (seq int64) {
			done := make(chan outcome, 1)
			d.Metadata, d.Mentions = map[string]string{"k": "secret of metadata"}, []biz.UserID{"secret of mentions"}
			messages.Send(t.Context(), u, d, func(r biz.Receipt, err error) { done <- outcome{r, err} })
			o := <-done
			if o.err != nil {
				t.Fatal(o.err)
			}
			return o.Seq
		}
		edited := send(textDraft("r", "u", "an id", "secret of content"))
		_, err := revisions.Edit(t.Context(), u, biz.EditRequest{
			Room: "r", Seq: edited, Content: []byte("secret of an edit"), Metadata: map[string]string{"k": "secret"}, Mentions: []biz.UserID{"secret user"}, ClientID: "another",
		})
		if err != nil {
			t.Fatal(err)
		}
		const recording = "019ab000-0000-7000-8000-00000005ec4e"
		if err := NewAudios(db).Add(t.Context(), biz.Audio{ID: recording, Room: "r", User: "u", Format: "opus", CreatedAt: time.Now()}, true); err != nil {
			t.Fatal(err)
		}
		audio := textDraft("r", "u", "", "secret sound of "+recording)
		audio.Type = biz.TypeAudio
		heard := send(audio)
		if n, err := revisions.Transcribed(t.Context(), "r", &biz.Transcript{Audio: recording, Text: "secret speech"}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		for _, table := range []string{"audios", "transcripts", "audio_refs"} {
			if !slices.Contains(rowsWith(t, db, recording), table) {
				t.Errorf("%s does not have the recording before", table)
			}
		}
		if found := rowsWith(t, db, "secret"); len(found) < 6 { // or this finds nothing at all
			t.Errorf("only %q have it before", found)
		}
		for _, seq := range []int64{edited, heard} {
			if _, err := revisions.Recall(t.Context(), u, biz.RecallRequest{Room: "r", Seq: seq}); err != nil {
				t.Fatal(err)
			}
		}
		if found := rowsWith(t, db, "secret"); len(found) > 0 {
			t.Errorf("after a recall it is in %q", found)
		}
		if found := rowsWith(t, db, recording); !slices.Equal(found, []string{"audio_waste"}) { // until its bytes are deleted
			t.Errorf("after a recall the recording is in %q", found)
		}

		short := textDraft("r", "u", "", "secret for a moment")
		short.ExpiresIn = time.Microsecond
		expired := send(short)
		if len(rowsWith(t, db, "secret")) == 0 {
			t.Error("nothing has it before")
		}
		if _, err := revisions.Recall(t.Context(), u, biz.RecallRequest{Room: "r", Seq: expired}); err != nil {
			t.Fatal(err)
		}
		if found := rowsWith(t, db, "secret"); len(found) > 0 {
			t.Errorf("after its time it is in %q", found)
		}
	})
}

// rowsWith returns the tables of rows that have a text in some column, each as often as it has some.
func rowsWith(t *testing.T, db *DB, text string) (found []string) {
	t.Helper()
	tables := `SELECT table_name FROM information_schema.tables WHERE table_schema = database()`
	switch {
	case db.dialect.numbered:
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
	case !db.dialect.remote:
		tables = `SELECT name FROM sqlite_master WHERE type = 'table'`
	}
	var names []string
	err := db.reader.each(t.Context(), tables, nil, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil || len(names) < 10 {
		t.Fatalf("tables %q, %v", names, err)
	}
	for _, name := range names {
		err := db.reader.each(t.Context(), `SELECT * FROM "`+name+`"`, nil, func(rows *sql.Rows) error {
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			row := make([]sql.RawBytes, len(columns))
			into := make([]any, len(columns))
			for i := range row {
				into[i] = &row[i]
			}
			err = rows.Scan(into...)
			if strings.Contains(fmt.Sprintf("%s", row), text) {
				found = append(found, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(name, err)
		}
	}
	return found
}
