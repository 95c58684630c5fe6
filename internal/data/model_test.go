package data

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

// model is what the log promises, written down plainly.
type model struct {
	rooms  map[biz.RoomID][]string // content by seq-1
	claims map[string]claimed
}

type claimed struct {
	seq     int64
	content string
}

// expect tells what a draft must come to, given that drafts before it did.
func (m *model) expect(d *biz.Draft) (seq int64, duplicate bool, kind biz.Kind) {
	log, ok := m.rooms[d.Room]
	if !ok {
		return 0, false, biz.KindNotFound
	}
	key, content := fmt.Sprintf("%q %q %q", d.Room, d.Sender, d.ClientID), string(d.Content)
	if first, ok := m.claims[key]; ok && d.ClientID != "" {
		if first.content != content {
			return 0, false, biz.KindConflict
		}
		return first.seq, true, noError
	}
	m.rooms[d.Room] = append(log, content)
	seq = int64(len(m.rooms[d.Room]))
	m.claims[key] = claimed{seq, content}
	return seq, false, noError
}

// TestLogAgainstModel runs random batches, and restarts between them, against the model.
func TestLogAgainstModel(t *testing.T) {
	t.Parallel()
	all, checks := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		checks++
		dir := filepath.Join(all, strconv.Itoa(checks))
		m := &model{rooms: map[biz.RoomID][]string{"a": nil, "A": nil}, claims: map[string]claimed{}}
		batchRows := rapid.IntRange(1, 5).Draw(rt, "batchRows")
		for range rapid.IntRange(1, 3).Draw(rt, "runs") {
			runModel(t, rt, dir, m, batchRows)
		}
	})
}

// runModel appends a number of drafts in one life of the process and checks what became of them.
func runModel(t *testing.T, rt *rapid.T, dir string, m *model, batchRows int) {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: dir, CachedRooms: 1, Synchronous: "normal"}, quiet())
	if err != nil {
		rt.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			rt.Error(err)
		}
	}()
	joinRoom(t, db, "a", "u")
	joinRoom(t, db, "A", "u")
	live := &recorder{}
	l, err := NewMessageLog(db, live, LogOptions{BatchRows: batchRows, Publishers: 2}, quiet())
	if err != nil {
		rt.Fatal(err)
	}
	before := map[biz.RoomID]int{"a": len(m.rooms["a"]), "A": len(m.rooms["A"])}
	drafts := rapid.SliceOfN(rapid.Custom(drawDraft), 0, 20).Draw(rt, "drafts")
	outcomes := queueAll(l, drafts)
	stop := runUntil(t, l.Run)
	defer stop()
	for i, d := range drafts {
		seq, duplicate, kind := m.expect(d)
		if o := <-outcomes[i]; kindOf(o.err) != kind || o.Seq != seq || o.Duplicate != duplicate {
			rt.Fatalf("draft %d %+v: got %+v, want seq %d, duplicate %v, kind %d", i, d.Message, o, seq, duplicate, kind)
		}
	}
	for room, contents := range m.rooms {
		checkModelRoom(t, rt, l, room, contents, live.delivered(room), before[room])
		if info, err := NewRooms(db).Room(t.Context(), room); err != nil || info.HeadSeq != int64(len(contents)) {
			rt.Fatalf("room %+v, %v; want head %d", info, err, len(contents))
		}
	}
}

func checkModelRoom(t *testing.T, rt *rapid.T, l *MessageLog, room biz.RoomID, contents []string, live []biz.Message, before int) {
	t.Helper()
	stored := readAll(t, l, room)
	if len(stored) != len(contents) || len(live) != len(contents)-before {
		rt.Fatalf("room %s: %d stored, %d delivered, want %d and %d", room, len(stored), len(live), len(contents), len(contents)-before)
	}
	for i, m := range stored {
		if m.Seq != int64(i+1) || string(m.Content) != contents[i] {
			rt.Fatalf("room %s place %d: %+v, want %q", room, i+1, m, contents[i])
		}
	}
	for i, m := range live {
		if want := stored[before+i]; m.Seq != want.Seq || m.ID != want.ID {
			rt.Fatalf("room %s: delivered %+v, stored %+v", room, m, want)
		}
	}
}

func drawDraft(rt *rapid.T) *biz.Draft {
	return textDraft(
		biz.RoomID(rapid.SampledFrom([]string{"a", "A", "nowhere"}).Draw(rt, "room")),
		biz.UserID(rapid.SampledFrom([]string{"u", "v"}).Draw(rt, "sender")),
		rapid.SampledFrom([]string{"", "1", "2"}).Draw(rt, "client id"),
		rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "content"),
	)
}
