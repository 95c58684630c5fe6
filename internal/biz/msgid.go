package biz

import (
	"encoding/base32"
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// idEncoding keeps the order of the bytes and needs no escaping anywhere.
var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewMessageID returns an id for the message at seq of a room: milliseconds (6 bytes), a hash of
// the room (4), 40 random bits and seq (5), in base 32. Carrying the place means that an ACK which
// names nothing but the id can be understood without keeping every id ever delivered.
// seq must be below 2^40.
func NewMessageID(room RoomID, seq int64, now time.Time) string {
	var b [20]byte
	binary.BigEndian.PutUint64(b[0:], uint64(now.UnixMilli())<<16)
	binary.BigEndian.PutUint32(b[6:], roomHash(room))
	binary.BigEndian.PutUint64(b[10:], rand.Uint64())
	putUint40(b[15:], uint64(seq))
	return idEncoding.EncodeToString(b[:])
}

// SeqOfMessageID returns the seq that id carries if it is an id of a message of room. Ids come
// back from clients, so the answer is a claim: the caller checks it against what was delivered.
func SeqOfMessageID(id string, room RoomID) (seq int64, ok bool) {
	b, err := idEncoding.DecodeString(id)
	if err != nil || len(b) != 20 || idEncoding.EncodeToString(b) != id || binary.BigEndian.Uint32(b[6:]) != roomHash(room) {
		return 0, false
	}
	return int64(uint40(b[15:])), true
}

func roomHash(room RoomID) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(room)) // never fails, by the contract of hash.Hash
	return h.Sum32()
}

func putUint40(b []byte, v uint64) {
	b[0] = byte(v >> 32)
	binary.BigEndian.PutUint32(b[1:], uint32(v))
}

func uint40(b []byte) uint64 {
	return uint64(b[0])<<32 | uint64(binary.BigEndian.Uint32(b[1:]))
}
