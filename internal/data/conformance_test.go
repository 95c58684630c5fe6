package data_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/datatest"
)

func TestConformanceSQLite(t *testing.T) {
	t.Parallel()
	datatest.Run(t, func(t *testing.T, live biz.Deliverer) datatest.Stores {
		t.Helper()
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		db, err := data.Open(t.Context(), data.Options{Dir: t.TempDir()}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		log, err := data.NewMessageLog(db, live, data.LogOptions{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		cursors, inbox := data.NewCursors(db, quiet), data.NewInbox(db, quiet)
		ctx, cancel := context.WithCancel(context.Background())
		var running errgroup.Group
		for _, run := range []func(context.Context) error{log.Run, cursors.Run, inbox.Run, data.NewJanitor(db, 0, quiet).Run} {
			running.Go(func() error { return run(ctx) })
		}
		t.Cleanup(func() {
			cancel()
			if err := running.Wait(); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		transcripts := data.NewTranscripts(db)
		return datatest.Stores{
			Rooms: data.NewRooms(db), Members: data.NewMembers(db), Log: log, Cursors: cursors, Inbox: inbox,
			PushKeys: data.NewPushKeys(db, quiet),
			Audios:   data.NewAudios(db), Transcripts: transcripts, Queue: transcripts,
		}
	})
}
