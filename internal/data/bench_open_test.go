package data

import (
	"context"
	"fmt"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// BenchmarkOpen does what the store does when a client opens its session in a room: one that comes
// back, in memory still or not any more, and one that is new.
func BenchmarkOpen(b *testing.B) {
	for name, c := range map[string]struct {
		opts Options
		user func(int) biz.UserID
	}{
		"again": {Options{}, func(int) biz.UserID { return "user" }},
		"cold":  {Options{CachedMembers: 1}, func(i int) biz.UserID { return benchUser(i % 1000) }},
		"new":   {Options{}, benchUser},
	} {
		b.Run(name, func(b *testing.B) { benchmarkOpen(b, c.opts, c.user) })
	}
}

func benchmarkOpen(b *testing.B, opts Options, user func(int) biz.UserID) {
	b.Helper()
	opts.Dir, opts.Synchronous = b.TempDir(), "NORMAL"
	db := openWith(b, opts)
	o := opener{NewMembers(db), NewCursors(db, quiet()), NewInbox(db, quiet())}
	ctx := b.Context() // which can end, as a stream's can
	joinRoom(b, db, benchRoom(0), "user")
	for i := range 1000 {
		if opts.CachedMembers == 1 {
			joinRoom(b, db, benchRoom(0), benchUser(i))
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := o.open(ctx, benchRoom(0), user(i)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func benchUser(i int) biz.UserID { return biz.UserID(fmt.Sprintf("user-%d", i)) }

// opener is what a session needs of the store.
type opener struct {
	members *Members
	cursors *Cursors
	inbox   *Inbox
}

func (o opener) open(ctx context.Context, room biz.RoomID, user biz.UserID) error {
	if _, err := o.members.Join(ctx, room, user, admit(room, user)); err != nil {
		return err
	}
	if _, err := o.cursors.Cursors(ctx, user, "device", []biz.RoomID{room}); err != nil {
		return err
	}
	_, err := o.inbox.Page(ctx, user, 0, 100)
	return err
}
