package data

import (
	"reflect"
	"testing"
	"time"

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
			ID: "r", Name: "n", Description: "d", CreatedAt: at, LastActive: at.Add(1), HeadSeq: 3, FloorSeq: 2, Members: 4,
			Config: biz.RoomConfig{MaxUsers: 5, Persistent: true, MessageTTL: time.Hour, IdleTimeout: time.Minute, AllowAudio: true, AllowRichText: true, AutoTranscribe: true},
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
		want := biz.Member{Room: "r", User: "u", Nickname: "n", Role: biz.RoleAdmin, Muted: true, JoinSeq: 9, JoinedAt: at}
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
		}
		md, err := encodeMetadata(want.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		row := toMessageRow(want, md)
		assertFull(t, *want)
		assertFull(t, row)
		if got, err := fromMessageRow(&row); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
	t.Run("push", func(t *testing.T) {
		want := &biz.Push{
			ID: "i", MsgType: "m", Title: "t", Content: "c", Data: []byte("x"), Metadata: map[string]string{"k": "v"}, Time: at, InboxSeq: 7,
		}
		row, err := toPushRow("u", want, at.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		assertFull(t, *want, "Prepared") // which is not kept
		assertFull(t, row, "No")
		if got, err := fromPushRow(row); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
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
		h := hashPayload(d, []byte(p.metadata))
		if other, ok := seen[h]; ok {
			t.Errorf("%+v and %+v have one hash", p, other)
		}
		seen[h] = p
	}
}
