package data

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/game-im/hermod/internal/biz"
)

// PushKeys is a biz.PushKeys.
type PushKeys struct {
	db     *DB
	logger *slog.Logger
}

// NewPushKeys returns the push keys in db.
func NewPushKeys(db *DB, logger *slog.Logger) *PushKeys { return &PushKeys{db: db, logger: logger} }

const (
	selectPushKey = `SELECT request_hash, push_id, answer, created_at FROM push_keys WHERE caller = ? AND "key" = ?`
	deletePushKey = `DELETE FROM push_keys WHERE caller = ? AND "key" = ? AND created_at < ?`
	insertPushKey = `INSERT INTO push_keys (caller, "key", request_hash, push_id, created_at) VALUES (?, ?, ?, ?, ?)`
	finishPushKey = `UPDATE push_keys SET answer = ? WHERE caller = ? AND "key" = ?`
)

// Begin remembers r under k once it is committed, unless the key is taken. One from before
// biz.PushKeyLife counts as free, purged or not; it is deleted rather than changed, so that "no" keeps
// the order of created_at.
func (p *PushKeys) Begin(ctx context.Context, k biz.PushKey, r biz.PushRecord) (earlier *biz.PushRecord, err error) {
	for range pushKeyAttempts {
		earlier, err = p.begin(ctx, k, r)
		if !isDuplicate(err) {
			break
		}
	}
	return earlier, err
}

// pushKeyAttempts is how often a push begins anew because another node has taken its key at the same time.
const pushKeyAttempts = 3

func (p *PushKeys) begin(ctx context.Context, k biz.PushKey, r biz.PushRecord) (earlier *biz.PushRecord, err error) {
	err = p.db.writer.do(ctx, func(t *tx) (err error) {
		if earlier, err = selectPush(t, k); err != nil {
			return err
		}
		oldest := r.Time.Add(-biz.PushKeyLife)
		if earlier != nil && !earlier.Time.Before(oldest) {
			return nil
		}
		earlier = nil
		// Not one that another node has taken since.
		if _, err := t.exec(deletePushKey, k.Caller, k.Key, toMicros(oldest)); err != nil {
			return err
		}
		_, err = t.exec(insertPushKey, k.Caller, k.Key, r.Hash[:], r.PushID, toMicros(r.Time))
		return err
	}, func() {})
	if err != nil {
		return nil, err
	}
	return earlier, nil
}

func selectPush(t *tx, k biz.PushKey) (*biz.PushRecord, error) {
	var hash []byte
	var answer sql.NullString
	var created int64
	var r biz.PushRecord
	err := t.scan(selectPushKey, []any{k.Caller, k.Key}, &hash, &r.PushID, &answer, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(hash) != sha256.Size {
		return nil, errPushKeyCorrupt(nil)
	}
	r.Hash, r.Time = [sha256.Size]byte(hash), fromMicros(created)
	if !answer.Valid {
		return &r, nil
	}
	if r.Answer, err = fromAnswer(answer.String); err != nil {
		return nil, err
	}
	return &r, nil
}

// Finish adds the answer. A failure goes to the log.
func (p *PushKeys) Finish(ctx context.Context, k biz.PushKey, a biz.PushAnswer) {
	text, err := toAnswer(a)
	if err == nil {
		err = p.db.writer.do(ctx, func(t *tx) error {
			_, err := t.exec(finishPushKey, text, k.Caller, k.Key)
			return err
		}, func() {})
	}
	if err != nil {
		p.logger.ErrorContext(ctx, "the answer to a push is not kept; to a repetition it will be unknown", "key", k.Key, "error", err)
	}
}

// answerJSON is a biz.PushAnswer as it is stored.
type answerJSON struct {
	Results []resultJSON `json:"results,omitempty"`
	Sent    int          `json:"sent,omitempty"`
	Queued  int          `json:"queued,omitempty"`
	Slow    int          `json:"slow,omitempty"`
	Skipped int          `json:"skipped,omitempty"`
	Expired int          `json:"expired,omitempty"`
	Unknown int          `json:"unknown,omitempty"`
	Total   int          `json:"total,omitempty"`
	Silent  int          `json:"silent,omitempty"`
}

// resultJSON is a biz.PushResult without what caused a failure.
type resultJSON struct {
	Outcome string `json:"outcome"`
	Kind    int    `json:"kind,omitempty"`
	Reason  string `json:"reason,omitempty"` // empty: no failure
	Text    string `json:"text,omitempty"`
	Note    string `json:"note,omitempty"`
}

func toAnswer(a biz.PushAnswer) (string, error) {
	b := a.Broadcast
	j := answerJSON{
		Results: make([]resultJSON, len(a.Results)),
		Sent:    b.Sent, Queued: b.Queued, Slow: b.Slow, Skipped: b.Skipped, Expired: b.Expired, Unknown: b.Unknown, Total: b.Total, Silent: b.Silent,
	}
	for i, r := range a.Results {
		j.Results[i] = resultJSON{Outcome: r.Outcome.String(), Note: r.Note}
		if r.Err != nil {
			j.Results[i].Kind, j.Results[i].Reason, j.Results[i].Text = int(r.Err.Kind), r.Err.Reason, r.Err.Text
		}
	}
	text, err := json.Marshal(j)
	return string(text), err
}

func fromAnswer(text string) (*biz.PushAnswer, error) {
	var j answerJSON
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return nil, errPushKeyCorrupt(err)
	}
	a := biz.PushAnswer{
		Results: make([]biz.PushResult, len(j.Results)),
		Broadcast: biz.BroadcastCounts{
			Sent: j.Sent, Queued: j.Queued, Slow: j.Slow, Skipped: j.Skipped, Expired: j.Expired, Unknown: j.Unknown, Total: j.Total, Silent: j.Silent,
		},
	}
	for i, r := range j.Results {
		out, ok := biz.ParseOutcome(r.Outcome)
		if !ok {
			return nil, errPushKeyCorrupt(nil)
		}
		a.Results[i] = biz.PushResult{Outcome: out, Note: r.Note}
		if r.Reason != "" {
			a.Results[i].Err = &biz.Error{Kind: biz.Kind(r.Kind), Reason: r.Reason, Text: r.Text}
		}
	}
	return &a, nil
}

func errPushKeyCorrupt(cause error) *biz.Error {
	err := biz.Errorf(biz.KindInternal, "STORE_CORRUPT", "what is stored under an idempotency key cannot be read")
	if cause == nil {
		return err
	}
	return err.Because(cause)
}
