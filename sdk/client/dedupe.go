package client

import imv1 "github.com/game-im/hermod/api/im/v1"

// places remembers the highest seq of every room that reached OnMessage. The server sends a room
// in order, so whatever is not above it has been handled already: repeated after a reconnect, or
// because an acknowledgement was lost. The zero value is ready. Used by the callback queue alone.
type places map[string]int64

// advance notes the message and tells whether it is new. Messages without a seq, as those of
// rooms that are not persistent, always are.
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
