package datatest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Stores are the repositories on one database.
type Stores struct {
	Rooms    biz.RoomRepo
	Members  biz.MemberRepo
	Log      biz.MessageLog
	History  biz.HistoryRepo
	Watch    biz.WatchRepo
	Cursors  biz.CursorRepo
	Inbox    biz.Inbox
	PushKeys biz.PushKeys
	Audios   biz.AudioRepo
	Upkeep   biz.AudioUpkeep // of Audios

	Revisions     biz.RevisionRepo
	Watermarks    biz.WatermarkRepo
	Acquaintances Acquaintances

	Transcripts biz.TranscriptRepo
	Queue       biz.TranscriptQueue

	Webhooks Webhooks

	Search biz.SearchRepo
	// CatchUp brings the index up to date, of contents that SearchReader reads. It is a node of its own that does.
	CatchUp func(ctx context.Context) error
	// Rewrite gives a stored message another content, and DropRoom deletes a room with all that is in it, without
	// a word to anybody.
	Rewrite  func(room biz.RoomID, seq int64, content string) error
	DropRoom func(room biz.RoomID) error

	// Purge deletes what keep and the rooms themselves do not let be kept any more at now.
	Purge func(ctx context.Context, now time.Time, keep biz.Retention) error
}

// Events is the encoder that an Opener's log has.
func Events(e biz.Event) ([]byte, error) {
	if e.Type == "unspeakable" {
		return nil, errors.New("nobody can say that")
	}
	told := fmt.Appendf(nil, "%s by %s of %v", e.Type, e.By, e.Data)
	if len(e.Content) > 0 {
		told = fmt.Appendf(told, " says %q", e.Content)
	}
	return told, nil
}

// Acquaintances is a biz.AcquaintanceRepo with what puts times into it.
type Acquaintances interface {
	biz.AcquaintanceRepo
	// Seen notes that a user was there, to be written by Flush or before.
	Seen(user biz.UserID, at time.Time)
	Flush(ctx context.Context) error
}

// Opener returns repositories on an empty database, everything running, the log delivering to
// live, with Events as its encoder. It has the test clean up.
type Opener func(t *testing.T, live biz.Deliverer) Stores

// Run runs every suite.
func Run(t *testing.T, open Opener) {
	t.Helper()
	t.Run("RoomRepo", func(t *testing.T) { runAll(t, open, roomSuite) })
	t.Run("MemberRepo", func(t *testing.T) { runAll(t, open, memberSuite) })
	t.Run("MessageLog", func(t *testing.T) { runAll(t, open, logSuite) })
	t.Run("Acts", func(t *testing.T) { runAll(t, open, actSuite) })
	t.Run("Revisions", func(t *testing.T) { runAll(t, open, revisionSuite) })
	t.Run("HistoryRepo", func(t *testing.T) { runAll(t, open, historySuite) })
	t.Run("WatchRepo", func(t *testing.T) { runAll(t, open, watchSuite) })
	t.Run("Retention", func(t *testing.T) { runAll(t, open, retentionSuite) })
	t.Run("CursorRepo", func(t *testing.T) { runAll(t, open, cursorSuite) })
	t.Run("Inbox", func(t *testing.T) { runAll(t, open, inboxSuite) })
	t.Run("PushKeys", func(t *testing.T) { runAll(t, open, pushKeySuite) })
	t.Run("AudioRepo", func(t *testing.T) { runAll(t, open, audioSuite) })
	t.Run("Search", func(t *testing.T) { runAll(t, open, searchSuite) })
	t.Run("WatermarkRepo", func(t *testing.T) { runAll(t, open, watermarkSuite) })
	t.Run("AcquaintanceRepo", func(t *testing.T) { runAll(t, open, acquaintanceSuite) })
	t.Run("AudioUpkeep", func(t *testing.T) { runAll(t, open, upkeepSuite) })
	t.Run("Webhooks", func(t *testing.T) { runAll(t, open, webhookSuite) })
	RunTranscripts(t, open)
}

type scene struct {
	Stores
	t    *testing.T
	live *recorder
}

func runAll(t *testing.T, open Opener, suite map[string]func(scene)) {
	t.Helper()
	for name, test := range suite {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := &recorder{rooms: make(map[biz.RoomID][]biz.Message)}
			test(scene{Stores: open(t, live), t: t, live: live})
		})
	}
}

// recorder is a Deliverer that remembers. A log calls nothing but Deliver and Left.
type recorder struct {
	biz.Deliverer
	mu    sync.Mutex
	rooms map[biz.RoomID][]biz.Message
	gone  []biz.Member // who has left, and after how many messages, as his JoinSeq
}

func (r *recorder) Left(room biz.RoomID, user biz.UserID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = append(r.gone, biz.Member{Room: room, User: user, JoinSeq: int64(len(r.rooms[room]))})
}

func (r *recorder) left() []biz.Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]biz.Member(nil), r.gone...)
}

func (r *recorder) Deliver(d *biz.Draft) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rooms[d.Room] = append(r.rooms[d.Room], d.Message)
}

func (r *recorder) delivered(room biz.RoomID) []biz.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]biz.Message(nil), r.rooms[room]...)
}

// strangeIDs are identifiers that differ in some byte, and that a database may take for the same
// when it folds case, pads with blanks or normalises.
var strangeIDs = []string{"a", "A", "a ", " a", "ä", "a\u0308", "a%", "a_", "a'", `a"`, "a\\", "ａ", "😀", "a\n"}

func (s scene) context() context.Context { return s.t.Context() }

func (s scene) join(room biz.RoomID, user biz.UserID) biz.JoinResult {
	s.t.Helper()
	res, err := s.Members.Join(s.context(), room, user, admit(room, user))
	if err != nil {
		s.t.Fatalf("join: %v", err)
	}
	return res
}

// admit lets everybody in and creates rooms.
func admit(room biz.RoomID, user biz.UserID) func(biz.JoinState) (biz.JoinPlan, error) {
	return func(s biz.JoinState) (biz.JoinPlan, error) {
		plan := biz.JoinPlan{Member: biz.Member{Room: room, User: user, Role: biz.RoleUser, JoinedAt: aTime}}
		if s.Member != nil {
			plan.Member = *s.Member
		}
		if s.Room == nil {
			plan.Create = &biz.Room{ID: room, Name: "name", Config: biz.DefaultRoomConfig(), CreatedAt: aTime, LastActive: aTime}
		}
		return plan, nil
	}
}

// aTime has the resolution that stores keep.
var aTime = time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)

type outcome struct {
	biz.Receipt
	err error
}

func (s scene) append(d *biz.Draft) outcome {
	s.t.Helper()
	done := make(chan outcome, 1)
	s.Log.Append(d, func(r biz.Receipt, err error) { done <- outcome{r, err} })
	select {
	case o := <-done:
		return o
	case <-time.After(20 * time.Second):
		s.t.Fatal("no outcome after 20 s")
		return outcome{}
	}
}

func (s scene) mustAppend(d *biz.Draft) biz.Receipt {
	s.t.Helper()
	o := s.append(d)
	if o.err != nil {
		s.t.Fatalf("append: %v", o.err)
	}
	return o.Receipt
}

func text(room biz.RoomID, sender biz.UserID, clientID, content string) *biz.Draft {
	return &biz.Draft{Message: biz.Message{Room: room, Sender: sender, ClientID: clientID, Type: biz.TypeText, Content: []byte(content)}}
}

func (s scene) wantKind(err error, kind biz.Kind) {
	s.t.Helper()
	if err == nil || biz.KindOf(err) != kind {
		s.t.Fatalf("error = %v, want kind %d", err, kind)
	}
}

func (s scene) equal(what string, got, want any) {
	s.t.Helper()
	if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); g != w {
		s.t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}
