package client

import (
	"hash/maphash"
	"slices"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// handed remembers what reached OnMessage, so that what comes again does not. The zero value is
// ready. Used by the callback queue alone.
type handed struct {
	places places
	pushes recent
}

// advance notes the message and tells whether it is new.
func (h *handed) advance(msg *imv1.MessageResponse) bool {
	if msg.GetRoomId() == "" && msg.GetMessageId() != "" {
		return h.pushes.add(msg.GetMessageId())
	}
	return h.places.advance(msg)
}

// places has the highest seq of every room. The server sends a room in order, so whatever is not
// above it has been handled already: repeated after a reconnect, or because an acknowledgement was
// lost.
type places map[string]int64

// advance tells whether the message is new. Messages without a seq, as those of rooms that are not
// persistent, always are.
func (p *places) advance(msg *imv1.MessageResponse) bool {
	seq := msg.GetSeq()
	if seq == 0 {
		return true
	}
	if seq <= (*p)[msg.GetRoomId()] {
		return false
	}
	if *p == nil {
		*p = places{}
	}
	(*p)[msg.GetRoomId()] = seq
	return true
}

// recentPushes is how many pushes a client knows again. The server may repeat one whose
// acknowledgement it did not get, which is among the last ones.
const recentPushes = 256

// idSeed makes the hashes of ids, which nobody outside the process can choose.
var idSeed = maphash.MakeSeed()

// recent has the last pushes, which have no order and no place in a room: the server stores one for
// later that was not acknowledged in time, and then it may come from there as well. The ids are
// hashed, since a thousand clients with 256 ids each would be a matter of megabytes; that one push
// is mistaken for another is less likely than a memory error.
type recent struct {
	ids  []uint64 // grows to recentPushes, then is a ring
	next int      // the oldest of the ring
}

// add notes the id and tells whether it is new.
func (r *recent) add(id string) bool {
	sum := maphash.String(idSeed, id)
	switch {
	case slices.Contains(r.ids, sum):
		return false
	case len(r.ids) < recentPushes:
		r.ids = append(r.ids, sum)
	default:
		r.ids[r.next] = sum
		r.next = (r.next + 1) % recentPushes
	}
	return true
}
