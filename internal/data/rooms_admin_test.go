package data

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data/datatest"
	"github.com/game-im/hermod/test/databases"
)

// hall is who is told of members, on a node where nobody is.
type hall struct{ recorder }

func (*hall) Joined(biz.JoinResult)                             {}
func (*hall) Online(context.Context, []biz.UserID) []biz.UserID { return nil }

func (*hall) Attending(_ context.Context, rooms ...biz.RoomID) (users []int, complete bool) {
	return make([]int, len(rooms)), true
}

// adminNode is a node with all that is done about rooms.
type adminNode struct {
	db    *DB
	rooms *biz.Rooms
	admin *biz.RoomAdmin
	said  *biz.Messages
	log   *MessageLog
	live  *hall
}

func newAdminNode(tb testing.TB, opts Options) *adminNode {
	tb.Helper()
	n := &adminNode{db: openWith(tb, opts), live: &hall{}}
	n.log, _ = runLog(tb, n.db, n.live, LogOptions{Events: datatest.Events})
	repo := NewRooms(n.db)
	n.rooms = biz.NewRooms(repo, NewMembers(n.db), n.log, n.live, n.live, biz.RoomRules{AutoCreate: true, Defaults: biz.DefaultRoomConfig()})
	n.admin = biz.NewRoomAdmin(n.rooms, NewRoomBook(n.db), biz.NewHistory(NewHistory(n.db)), datatest.Events)
	n.said = biz.NewMessages(repo, n.log, n.live, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000})
	return n
}

// onTwoAdminNodes runs a test on a node of its own, and on two that share a server's database and hear nothing of each
// other.
func onTwoAdminNodes(t *testing.T, test func(t *testing.T, nodes [2]*adminNode)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		one := newAdminNode(t, Options{Dir: t.TempDir(), Synchronous: "normal"})
		test(t, [2]*adminNode{one, one})
	})
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		opts.Shared = true
		test(t, [2]*adminNode{newAdminNode(t, opts), newAdminNode(t, opts)})
	})
}

func as(user biz.UserID) biz.Identity { return biz.Identity{User: user} }

// aService is a service that speaks for nobody.
var aService = biz.Identity{Roles: []string{biz.RoleService}}

func (n *adminNode) join(room biz.RoomID, user biz.UserID) error {
	_, err := n.rooms.Join(context.Background(), as(user), biz.JoinRequest{Room: room})
	return err
}

func (n *adminNode) say(room biz.RoomID, user biz.UserID) error {
	done := make(chan error, 1)
	n.said.Send(context.Background(), as(user), textDraft(room, user, "", "x"), func(_ biz.Receipt, err error) { done <- err })
	return <-done
}

// TestEveryRoomOfAListHasItsLastMessage: a page of somebody's rooms ends where their last messages are too large for it,
// and the next one goes on there. A room without any takes no place.
func TestEveryRoomOfAListHasItsLastMessage(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		n := nodes[0]
		const rooms, silent = 9, 3
		for i := range rooms {
			room := biz.RoomID(fmt.Sprint("r", i))
			must(t, n.join(room, "u"))
			if i != silent {
				mustAppend(t, n.log, textDraft(room, "u", "", strings.Repeat("x", 400)))
			}
		}
		var got, pages int
		for token := ""; pages == 0 || token != ""; pages++ {
			page, err := n.admin.Mine(t.Context(), as("u"), biz.ListRequest{Token: token, Bytes: 1200, Limit: 7})
			if err != nil || pages > rooms {
				t.Fatalf("page %d: %v", pages, err)
			}
			for _, room := range page.Rooms {
				if want := biz.RoomID(fmt.Sprint("r", got)); room.Room.ID != want || (room.Last == nil) != (got == silent) {
					t.Errorf("room %d is %s, and its last message is %v", got, room.Room.ID, room.Last)
				}
				got++
			}
			token = page.Next
		}
		if got != rooms || pages < 4 {
			t.Errorf("%d rooms on %d pages", got, pages)
		}
	})
}
