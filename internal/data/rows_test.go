package data

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm/schema"

	"github.com/game-im/hermod/internal/biz"
)

// assertFull fails when a field was left at its zero value, so that a new field is not forgotten
// in the round trips below.
func assertFull(t *testing.T, v any, except ...string) {
	t.Helper()
	for f, value := range reflect.ValueOf(v).Fields() {
		skip := false
		for _, name := range except {
			skip = skip || name == f.Name
		}
		if !skip && value.IsZero() {
			t.Errorf("%T.%s is not tested", v, f.Name)
		}
	}
}

func TestRowsRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Date(2031, 1, 2, 3, 4, 5, 678901000, time.UTC)
	t.Run("room", func(t *testing.T) {
		want := biz.Room{
			ID: "r", Name: "n", Description: "d", CreatedAt: at, LastActive: at.Add(1), HeadSeq: 3, FloorSeq: 2, Members: 4, Version: 5,
			Kind: biz.KindDirect, DeletedAt: at.Add(time.Minute),
			Config: biz.RoomConfig{MaxUsers: 5, Persistent: true, MessageTTL: time.Hour, IdleTimeout: time.Minute, AllowAudio: true, AllowRichText: true, AutoTranscribe: true, InviteOnly: true},
		}
		want.LastActive = at.Add(time.Second)
		assertFull(t, want)
		assertFull(t, want.Config)
		assertFull(t, toRoomRow(want))
		if got := fromRoomRow(toRoomRow(want)); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("member", func(t *testing.T) {
		want := biz.Member{Room: "r", User: "u", Nickname: "n", Role: biz.RoleAdmin, Muted: true, MutedUntil: at.Add(time.Hour), JoinSeq: 9, JoinedAt: at}
		assertFull(t, want)
		assertFull(t, toMemberRow(want), "No")
		if got := fromMemberRow(toMemberRow(want)); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("message", func(t *testing.T) {
		want := &biz.Message{
			ID: "i", Room: "r", Seq: 8, Sender: "s", ClientID: "c", Type: biz.TypeAudio, Content: []byte("x"),
			Metadata: map[string]string{"k": "v"}, AckRequired: true, Time: at,
			ReplyTo: 3, Mentions: []biz.UserID{"u", biz.MentionAll}, ExpiresAt: time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond),
			State: &biz.MessageState{
				Version: 4, Edits: 2, EditedAt: at, Recalled: true, RecalledBy: "r", RecalledAt: at.Add(time.Second), RecallSeq: 11,
				Reactions: []biz.ReactionCount{{Reaction: "👍", Users: 2}, {Reaction: "\"x\"", Users: 1}},
			},
		}
		md, err := encodeMetadata(want.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		row := toMessageRow(want, md, encodeExtras(want))
		assertFull(t, *want)
		assertFull(t, *want.State)
		assertFull(t, *toMessageState(want.State))
		assertFull(t, row)
		if got, err := fromMessageRow(&row); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
	t.Run("audio", func(t *testing.T) {
		want := biz.Audio{ID: "i", Room: "r", User: "u", Format: "opus", Size: 5, Duration: 1500 * time.Millisecond, CreatedAt: at, Measured: true, Waveform: "\x00\xff"}
		assertFull(t, want)
		assertFull(t, toAudioRow(want))
		if got := fromAudioRow(toAudioRow(want)); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("push", func(t *testing.T) {
		want := &biz.Push{
			ID: "i", MsgType: "m", Title: "t", Content: "c", Data: []byte("x"), Metadata: map[string]string{"k": "v"}, Time: at, InboxSeq: 7, Expires: at.Add(time.Hour),
		}
		row, err := toPushRow("u", want, want.Expires)
		if err != nil {
			t.Fatal(err)
		}
		assertFull(t, *want, "Prepared", "StoreOffline", "Again", "Bound") // which are not kept
		assertFull(t, row, "No")
		if got, err := fromPushRow(row); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
}

// TestColumns: prepared statements and GORM have the same idea of every table.
func TestColumns(t *testing.T) {
	t.Parallel()
	for columns, row := range map[string]interface{ fields() []any }{
		roomColumns: &roomRow{}, memberColumns: &memberRow{}, messageColumns: &messageRow{},
		pushColumns: &pushRow{}, cursorColumns: &cursorRow{}, audioColumns: &audioRow{},
		transcriptColumns: &transcriptRow{}, banColumns: &banRow{},
	} {
		known, err := schema.Parse(row, new(sync.Map), schema.NamingStrategy{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		var fields []any
		for _, f := range known.Fields {
			if f.DBName != "no" {
				names = append(names, f.DBName)
				fields = append(fields, reflect.ValueOf(row).Elem().FieldByName(f.Name).Addr().Interface())
			}
		}
		if got := strings.Join(strings.Fields(columns), " "); got != strings.Join(names, ", ") {
			t.Errorf("%T: statements name %s; GORM names %s", row, got, strings.Join(names, ", "))
		}
		if !reflect.DeepEqual(addresses(row.fields()), addresses(fields)) {
			t.Errorf("%T: fields are not in the order of the columns", row)
		}
	}
}

func addresses(pointers []any) []uintptr {
	out := make([]uintptr, len(pointers))
	for i, p := range pointers {
		out[i] = reflect.ValueOf(p).Pointer()
	}
	return out
}

// TestStatementsAndGORMAgree: each reads what the other wrote.
func TestStatementsAndGORMAgree(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	at := time.Date(2031, 1, 2, 3, 4, 5, 678901000, time.UTC)
	room := biz.Room{
		Name: "n", Description: "d", CreatedAt: at, LastActive: at.Add(time.Second), HeadSeq: 3, FloorSeq: 2, Members: 4, Version: 5,
		Kind:   biz.KindDirect, // and there: one that was deleted is not read
		Config: biz.RoomConfig{MaxUsers: 5, Persistent: true, MessageTTL: time.Hour, IdleTimeout: time.Minute, AllowRichText: true},
	}
	member := biz.Member{User: "u", Nickname: "n", Role: biz.RoleAdmin, Muted: true, MutedUntil: at.Add(time.Hour), JoinSeq: 9, JoinedAt: at}
	for id, write := range map[biz.RoomID]func(*tx, *roomRow, *memberRow) error{
		"by statement": func(t *tx, r *roomRow, m *memberRow) error {
			if _, err := t.exec(insertRoom, r.fields()...); err != nil {
				return err
			}
			_, err := t.exec(insertMember, m.fields()...)
			return err
		},
		"by GORM": func(t *tx, r *roomRow, m *memberRow) error {
			orm, err := openGORM(db.pools.dialector(t.conn))
			if err != nil {
				return err
			}
			if err := orm.Create(r).Error; err != nil {
				return err
			}
			return orm.Create(m).Error
		},
	} {
		room.ID, member.Room = id, id
		r, m := toRoomRow(room), toMemberRow(member)
		if err := db.writer.transact(func(t *tx) error { return write(t, &r, &m) }, func() {}); err != nil {
			t.Fatal(err)
		}
		if got, err := loadRoom(db.reader.scanning(t.Context()), id); err != nil || got != room {
			t.Errorf("room %s by statement: %+v, %v", id, got, err)
		}
		if got, err := loadMember(db.reader.scanning(t.Context()), id, "u"); err != nil || got != member {
			t.Errorf("member %s by statement: %+v, %v", id, got, err)
		}
		var gotRoom roomRow
		if err := db.orm.WithContext(t.Context()).Take(&gotRoom, "id = ?", id).Error; err != nil || fromRoomRow(gotRoom) != room {
			t.Errorf("room %s by GORM: %+v, %v", id, gotRoom, err)
		}
		if got, err := NewMembers(db).Members(t.Context(), id, 2); err != nil || len(got) != 1 || got[0] != member {
			t.Errorf("member %s by GORM: %+v, %v", id, got, err)
		}
	}
}

func TestZeroTimeRoundTrip(t *testing.T) {
	t.Parallel()
	if got := fromMicros(toMicros(time.Time{})); !got.IsZero() {
		t.Errorf("got %v", got)
	}
}

func TestHashPayload(t *testing.T) {
	t.Parallel()
	type payload struct {
		kind     biz.MessageType
		content  string
		metadata string
	}
	seen := map[payloadHash]payload{}
	for _, p := range []payload{
		{1, "", ""}, {2, "", ""}, {1, "a", ""}, {1, "", "a"}, {1, "ab", "c"}, {1, "a", "bc"}, {1, "abc", ""},
	} {
		d := &biz.Draft{Message: biz.Message{Type: p.kind, Content: []byte(p.content)}}
		h := hashPayload(d, d.Content, []byte(p.metadata))
		if other, ok := seen[h]; ok {
			t.Errorf("%+v and %+v have one hash", p, other)
		}
		seen[h] = p
	}
}
