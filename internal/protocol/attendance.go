package protocol

import (
	"context"
	"encoding/binary"
	"hash/fnv"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

// maxNamedUsers is up to how many users of a room a node says who they are, 8 bytes for each, so that who has sessions
// on several nodes is counted once. Of more it says how many.
const maxNamedUsers = 32 << 10

// attendance is who follows a room on a node: the hashes of the users.
type attendance map[uint64]struct{}

// here returns who follows a room on this node.
func (d *Deliverer) here(room biz.RoomID) attendance {
	users := make(attendance)
	for _, user := range d.node.Followers(RoomChannel(room)) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(user)) // never fails, by the contract of hash.Hash
		users[h.Sum64()] = struct{}{}
	}
	return users
}

// Attending implements biz.Attendance.
func (d *Deliverer) Attending(ctx context.Context, room biz.RoomID) (users int, complete bool) {
	there := d.here(room)
	if d.node.Alone() {
		return len(there), true
	}
	ctx, cancel := context.WithTimeout(ctx, onlineWithin)
	defer cancel()
	unnamed := 0
	silent := askEverybody(ctx, d.node, node.KindAttending, []byte(room), func(a broker.Answer) (ok, more bool) {
		n, ok := there.add(a.Body)
		unnamed += n
		return ok, true
	})
	return len(there) + unnamed, silent == 0
}

// add adds what another node answers, or returns how many there are whom it does not name.
func (a attendance) add(answer []byte) (unnamed int, ok bool) {
	count, n := binary.Uvarint(answer)
	if n <= 0 || count > 1<<31 {
		return 0, false
	}
	rest := answer[n:]
	if len(rest) == 0 {
		return int(count), true
	}
	if uint64(len(rest)) != 8*count {
		return 0, false
	}
	for ; len(rest) > 0; rest = rest[8:] {
		a[binary.BigEndian.Uint64(rest)] = struct{}{}
	}
	return 0, true
}

func (a attendance) answer() []byte {
	b := binary.AppendUvarint(nil, uint64(len(a)))
	if len(a) > maxNamedUsers {
		return b
	}
	for h := range a {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b
}

func (d *Deliverer) answerAttending(r broker.Request) { r.Answer(d.here(biz.RoomID(r.Body)).answer()) }
