package protocol

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

const (
	// maxAttendance is how many rooms one question is about.
	maxAttendance = 50
	// maxNamedUsers is how many users of these rooms a node says who they are, 8 bytes for each, so that who has
	// sessions on several nodes is counted once. Of the largest rooms, which are more, it says how many there are.
	maxNamedUsers = 32 << 10
)

// Attending implements biz.Attendance.
func (d *Deliverer) Attending(ctx context.Context, rooms ...biz.RoomID) (users []int, complete bool) {
	return attending(ctx, d.node, rooms)
}

// answersAttending has a node answer others.
func answersAttending(n *node.Node) {
	n.HandleApart(node.KindAttending, maxViews, func(r broker.Request) {
		var q wire.AttendanceQuestion
		if proto.Unmarshal(r.Body, &q) != nil || len(q.GetRooms()) > maxAttendance {
			return
		}
		r.Answer(marshal(&wire.AttendanceAnswer{Rooms: attendanceHere(n, q.GetRooms(), maxNamedUsers)}))
	})
}

// attending is biz.Attendance on a node and those that it knows, all of which have a Deliverer.
func attending(ctx context.Context, n *node.Node, rooms []biz.RoomID) (users []int, complete bool) {
	complete = true
	for part := range slices.Chunk(rooms, maxAttendance) {
		counted, all := attendingPart(ctx, n, texts(part))
		users, complete = append(users, counted...), complete && all
	}
	return users, complete
}

func attendingPart(ctx context.Context, n *node.Node, rooms []string) (users []int, complete bool) {
	if n.Alone() {
		for _, room := range rooms {
			users = append(users, len(n.Followers(RoomChannel(biz.RoomID(room)))))
		}
		return users, true
	}
	ctx, cancel := context.WithTimeout(ctx, onlineWithin)
	defer cancel()
	there := make([]headcounts, len(rooms))
	add := func(counts []*wire.Attendance) {
		for i := range there {
			there[i].add(counts[i])
		}
	}
	add(attendanceHere(n, rooms, 1<<31-1))
	silent := askEverybody(ctx, n, node.KindAttending, marshal(&wire.AttendanceQuestion{Rooms: rooms}), func(a broker.Answer) (ok, more bool) {
		var answer wire.AttendanceAnswer
		if proto.Unmarshal(a.Body, &answer) != nil || len(answer.GetRooms()) != len(rooms) {
			return false, true
		}
		add(answer.GetRooms())
		return true, true
	})
	for i := range there {
		users = append(users, there[i].users())
	}
	return users, silent == 0
}

// attendanceHere is who follows some rooms on this node. It names so many users at most, those of the smallest rooms.
func attendanceHere(n *node.Node, rooms []string, most int) []*wire.Attendance {
	all, smallest := make([]*wire.Attendance, len(rooms)), make([]int, len(rooms))
	users := make([][]string, len(rooms))
	for i, room := range rooms {
		users[i], smallest[i] = n.Followers(RoomChannel(biz.RoomID(room))), i
		all[i] = &wire.Attendance{Users: int32(len(users[i]))}
	}
	slices.SortFunc(smallest, func(a, b int) int { return cmp.Compare(len(users[a]), len(users[b])) })
	for _, i := range smallest {
		if most -= len(users[i]); most < 0 {
			break
		}
		all[i].Hashes = hashes(users[i])
	}
	return all
}

func hashes(users []string) []uint64 {
	all := make([]uint64, len(users))
	for i, user := range users {
		h := fnv.New64a()
		_, _ = h.Write([]byte(user)) // never fails, by the contract of hash.Hash
		all[i] = h.Sum64()
	}
	return all
}

// headcounts is who follows a room, as several nodes have it.
type headcounts struct {
	named   map[uint64]struct{}
	unnamed int
}

func (h *headcounts) add(a *wire.Attendance) {
	if len(a.GetHashes()) == 0 {
		h.unnamed += max(0, int(a.GetUsers()))
	}
	if h.named == nil {
		h.named = make(map[uint64]struct{}, len(a.GetHashes()))
	}
	for _, user := range a.GetHashes() {
		h.named[user] = struct{}{}
	}
}

func (h *headcounts) users() int { return len(h.named) + h.unnamed }
