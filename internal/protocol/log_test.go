package protocol_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/hub"
)

// messages is a log of rooms in memory, with pages of three at most.
type messages struct {
	biz.MessageLog // which appends, and is none
	rooms          map[biz.RoomID][]*biz.Message
	floor          map[biz.RoomID]int64
	fail           error
}

// store stores without telling anybody.
func (l *messages) store(d *biz.Draft) {
	d.Seq = int64(len(l.rooms[d.Room])) + 1
	l.rooms[d.Room] = append(l.rooms[d.Room], &d.Message)
}

// Page implements biz.MessageLog.
func (l *messages) Page(_ context.Context, room biz.RoomID, after int64, limit int) (page []*biz.Message, err error) {
	for _, m := range l.rooms[room] {
		if m.Seq > max(after, l.floor[room]) && len(page) < min(limit, 3) {
			page = append(page, m)
		}
	}
	return page, l.fail
}

// Floor implements biz.MessageLog.
func (l *messages) Floor(_ context.Context, room biz.RoomID) (int64, error) {
	if l.rooms[room] == nil {
		return 0, biz.ErrRoomNotFound(room)
	}
	return l.floor[room], nil
}

// Heads implements protocol.RoomHeads.
func (l *messages) Heads(_ context.Context, rooms []biz.RoomID) (map[biz.RoomID]biz.RoomHead, error) {
	heads := map[biz.RoomID]biz.RoomHead{}
	for _, r := range rooms {
		if n := len(l.rooms[r]); n > 0 {
			heads[r] = biz.RoomHead{Seq: int64(n)}
		}
	}
	return heads, l.fail
}

func newMessages(texts ...string) *messages {
	l := &messages{rooms: map[biz.RoomID][]*biz.Message{}, floor: map[biz.RoomID]int64{}}
	for _, text := range texts {
		l.store(&biz.Draft{Message: biz.Message{Room: "r", Sender: "alice", ClientID: "id of " + text, Content: []byte(text), AckRequired: text == "3"}})
	}
	return l
}

func TestRoomLog(t *testing.T) {
	t.Parallel()
	l := newMessages("1", "2", "3", "4", "5", "6")
	log := protocol.NewRoomLog(l, l)
	if !log.Keeps(protocol.RoomChannel("r")) || log.Keeps(protocol.InboxChannel("r")) {
		t.Error("the log has rooms, and them alone")
	}
	for name, test := range map[string]struct {
		channel     string
		after, upTo int64
		limit       int
		floor       int64
		want        []int64
		err         error
	}{
		"a page of it":           {"room:r", 1, 1 << 60, 100, 0, []int64{2, 3, 4}, nil},
		"a range":                {"room:r", 1, 3, 100, 0, []int64{2, 3}, nil},
		"a limit":                {"room:r", 1, 6, 1, 0, []int64{2}, nil},
		"the end":                {"room:r", 6, 1 << 60, 100, 0, []int64{}, nil},
		"above the floor":        {"room:r", 3, 6, 100, 3, []int64{4, 5, 6}, nil},
		"from below the floor":   {"room:r", 2, 6, 100, 3, nil, hub.ErrGone},
		"all of it is gone":      {"room:r", 2, 6, 100, 6, nil, hub.ErrGone},
		"a room that is no more": {"room:x", 2, 6, 100, 0, []int64{}, nil},
	} {
		l.floor["r"] = test.floor
		ps, err := log.Publications(t.Context(), test.channel, test.after, test.upTo, test.limit)
		var got []int64
		if ps != nil {
			got = []int64{}
		}
		for _, p := range ps {
			got = append(got, p.Seq)
		}
		if !errors.Is(err, test.err) || !slices.Equal(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	heads, err := log.(hub.Heads).Heads(t.Context(), []string{"room:r", "room:x"})
	if err != nil || len(heads) != 1 || heads["room:r"] != 6 {
		t.Errorf("heads %v, %v", heads, err)
	}
	if _, ok := protocol.NewRoomLog(l, nil).(hub.Heads); ok {
		t.Error("a log without heads has them")
	}
	l.fail = errors.New("away")
	if _, err := log.Publications(t.Context(), "room:r", 0, 6, 9); !errors.Is(err, l.fail) {
		t.Errorf("got %v", err)
	}
	if _, err := log.(hub.Heads).Heads(t.Context(), []string{"room:r"}); !errors.Is(err, l.fail) {
		t.Errorf("got %v", err)
	}
}
