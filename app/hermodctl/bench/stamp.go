package bench

import (
	"encoding/binary"
	"time"
)

// stamp is what stands at the beginning of each payload, so that whoever receives it can check order
// and tell how long it took.
type stamp struct {
	run    uint64 // of the load: others may be under way on the same node
	sender uint32 // index among those whose payloads this receiver gets
	number uint64 // from 0, per sender
	due    int64  // when it was to be sent, Unix nanoseconds
}

// MinSize is the shortest payload in bytes: what a load's clients need to check it.
const MinSize = 28

// payload is the stamp, filled up to size bytes.
func (s stamp) payload(size int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b, s.run)
	binary.BigEndian.PutUint32(b[8:], s.sender)
	binary.BigEndian.PutUint64(b[12:], s.number)
	binary.BigEndian.PutUint64(b[20:], uint64(s.due))
	return b
}

// readStamp reads the stamp of a payload, and tells whether it is one that this run could have sent.
func readStamp(b []byte, run uint64, size int) (stamp, bool) {
	if len(b) != size || size < MinSize {
		return stamp{}, false
	}
	s := stamp{
		run:    binary.BigEndian.Uint64(b),
		sender: binary.BigEndian.Uint32(b[8:]),
		number: binary.BigEndian.Uint64(b[12:]),
		due:    int64(binary.BigEndian.Uint64(b[20:])),
	}
	return s, s.run == run
}

// age is how long ago something was due.
func age(due int64) time.Duration { return time.Duration(time.Now().UnixNano() - due) }
