package biz_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// inbox is a biz.Inbox in memory.
type inbox struct {
	mu      sync.Mutex
	kept    map[biz.UserID][]*biz.Push
	expires time.Time
	err     error
}

func (b *inbox) Store(_ context.Context, user biz.UserID, p *biz.Push, expires time.Time, limits biz.InboxLimits) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	if len(b.kept[user]) >= limits.Pushes {
		return biz.Errorf(biz.KindResourceLimit, "INBOX_FULL", "full")
	}
	p.InboxSeq = int64(len(b.kept[user]) + 1)
	b.kept[user], b.expires = append(b.kept[user], p), expires
	return nil
}

func (b *inbox) Page(_ context.Context, user biz.UserID, after int64, limit int) ([]*biz.Push, error) {
	page := slices.DeleteFunc(slices.Clone(b.kept[user]), func(p *biz.Push) bool { return p.InboxSeq <= after })
	return page[:min(limit, len(page))], nil
}

func (b *inbox) Ack(user biz.UserID, seq int64) {
	b.kept[user] = slices.DeleteFunc(b.kept[user], func(p *biz.Push) bool { return p.InboxSeq <= seq })
}

func (b *inbox) Missed(user biz.UserID, seq int64) {
	b.kept[user] = slices.DeleteFunc(b.kept[user], func(p *biz.Push) bool { return p.InboxSeq == seq })
}

func (b *inbox) State(_ context.Context, user biz.UserID) (biz.InboxState, error) {
	return biz.InboxState{Pushes: len(b.kept[user])}, b.err
}
