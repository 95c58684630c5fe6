package data_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/datatest"
	"github.com/game-im/hermod/test/databases"
)

func TestConformanceSQLite(t *testing.T) {
	t.Parallel()
	conformance(t, func(t *testing.T) data.Options { return data.Options{Dir: t.TempDir()} })
}

func TestConformancePostgres(t *testing.T) {
	t.Parallel()
	onServer(t, "postgres", databases.StartPostgres(t))
}

func TestConformanceMariaDB(t *testing.T) {
	t.Parallel()
	onServer(t, "mysql", databases.StartMySQL(t))
}

func onServer(t *testing.T, driver string, s *databases.Server) {
	t.Helper()
	var creating sync.Mutex
	conformance(t, func(*testing.T) data.Options {
		creating.Lock()
		defer creating.Unlock()
		// A busy machine may need longer for a statement than the default; what hangs is not the suite's matter.
		return data.Options{Driver: driver, DSN: s.Create(), Readers: 2, StatementTimeout: time.Minute}
	})
}

// conformance runs the suite on databases that empty gives, each for one test.
func conformance(t *testing.T, empty func(*testing.T) data.Options) {
	t.Helper()
	datatest.Run(t, func(t *testing.T, live biz.Deliverer) datatest.Stores {
		t.Helper()
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		db, err := data.Open(t.Context(), empty(t), quiet)
		if err != nil {
			t.Fatal(err)
		}
		log, err := data.NewMessageLog(db, live, data.LogOptions{Events: datatest.Events}, quiet)
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
			Rooms: data.NewRooms(db), Members: data.NewMembers(db), Log: log, History: data.NewHistory(db), Watch: data.NewWatches(db), Cursors: cursors, Inbox: inbox,
			PushKeys: data.NewPushKeys(db, quiet),
			Audios:   data.NewAudios(db), Upkeep: data.NewAudios(db), Revisions: data.NewRevisions(db), Transcripts: transcripts, Queue: transcripts,
			Watermarks: data.NewWatermarks(db), Acquaintances: data.NewAcquaintances(db, quiet),
			Webhooks: data.NewWebhooks(db),
			Search:   data.NewSearch(db),
			CatchUp: func(ctx context.Context) error {
				return data.NewIndexer(db, datatest.SearchReader{}, quiet).CatchUp(ctx)
			},
			Rewrite:  db.Rewrite,
			DropRoom: db.DropRoom,
			Purge: func(ctx context.Context, now time.Time, keep biz.Retention) error {
				j := data.NewJanitor(db, 0, quiet)
				j.SetRetention(keep)
				return j.Sweep(ctx, now)
			},
		}
	})
}
