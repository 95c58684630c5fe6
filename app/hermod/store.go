package hermod

import (
	"context"
	"log/slog"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
)

func openStore(ctx context.Context, c *conf.Config, log *slog.Logger) (*data.DB, func(), error) {
	db, err := data.Open(ctx, data.Options{
		Driver:      c.GetData().GetDatabase().GetDriver(),
		DSN:         c.GetData().GetDatabase().GetDsn(),
		Dir:         c.GetData().GetDir(),
		Synchronous: c.GetData().GetDatabase().GetSynchronous(),

		Readers:          int(c.GetData().GetDatabase().GetReaders()),
		StatementTimeout: c.GetData().GetDatabase().GetStatementTimeout().AsDuration(),
		Shared:           c.GetCluster().Joined(),
	}, log)
	if err != nil {
		return nil, nil, err
	}
	return db, func() {
		if err := db.Close(); err != nil {
			log.Error("the store did not close", "error", err)
		}
	}, nil
}

func logOptions(c *conf.Config) data.LogOptions {
	l := c.GetData().GetLog()
	return data.LogOptions{
		BatchRows:      int(l.GetBatchRows()),
		QueuedMessages: int(l.GetQueueMessages()),
		QueuedBytes:    int(l.GetQueueBytes()),
		Events:         eventEncoder(),
	}
}

func newJanitor(c *conf.Config, db *data.DB, o data.LogOptions, log *slog.Logger) *data.Janitor {
	j := data.NewJanitor(db, o.IdempotencyWindow, log)
	j.SetRetention(retention(c))
	return j
}

// newIndexer returns what indexes for Search, or nil where nothing is searched.
func newIndexer(c *conf.Config, db *data.DB, log *slog.Logger) *data.Indexer {
	if !c.GetSearch().GetEnabled() {
		return nil
	}
	return data.NewIndexer(db, imcall.Reader{}, log)
}

func retention(c *conf.Config) biz.Retention {
	r := c.GetData().GetRetention()
	return biz.Retention{
		MaxAge: r.GetMaxAge().AsDuration(), MaxMessages: int64(r.GetMaxMessages()), MaxBytes: r.GetMaxBytes(),
		Unreferenced: c.GetAudio().GetUnreferenced().AsDuration(), LastSeen: r.GetLastSeen().AsDuration(),
	}
}
