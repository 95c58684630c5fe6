package biz

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// place is where a synchronisation stands: rooms are gone through in the order of their ids, first for
// messages, and then once more for the snapshot.
type place struct {
	counting bool   // the messages are over
	room     RoomID // the last one that was begun
	seq      int64  // the last message of it that was given out
	bound    int64  // the last one that will be; not above seq: the room is done
}

func (p place) within() bool { return !p.counting && p.bound > p.seq }

// A token is a place in bytes: a version, whose it is, the place, and a sum that finds accidents. Who makes
// one himself learns nothing by it: it says where to go on, and never what may be seen.
const (
	tokenVersion  = 1
	tokenUser     = 8 // bytes of a hash
	tokenSum      = crc32.Size
	maxTokenBytes = 1 + tokenUser + 1 + 2*binary.MaxVarintLen64 + MaxIDBytes + tokenSum
)

var tokenText = base64.RawURLEncoding.Strict()

func (p place) token(user UserID) string {
	b := append(make([]byte, 0, maxTokenBytes), tokenVersion)
	b = append(b, tokenOwner(user)...)
	b = append(b, boolByte(p.counting))
	b = binary.AppendUvarint(b, uint64(p.seq))
	b = binary.AppendUvarint(b, uint64(p.bound))
	b = append(b, p.room...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return tokenText.EncodeToString(b)
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func tokenOwner(user UserID) []byte {
	sum := sha256.Sum256([]byte(user))
	return sum[:tokenUser]
}

// readToken is the way back. An empty token is the beginning.
func readToken(token string, user UserID) (place, error) {
	if token == "" {
		return place{}, nil
	}
	if len(token) > tokenText.EncodedLen(maxTokenBytes) {
		return place{}, errToken("it is longer than any that was given out")
	}
	b, err := tokenText.DecodeString(token)
	if err != nil || len(b) < 1+tokenUser+1+tokenSum {
		return place{}, errToken("it is not one that was given out")
	}
	b, sum := b[:len(b)-tokenSum], binary.BigEndian.Uint32(b[len(b)-tokenSum:])
	switch {
	case crc32.ChecksumIEEE(b) != sum:
		return place{}, errToken("it is damaged")
	case b[0] != tokenVersion:
		return place{}, errToken("it was given out by another version of the server; begin again without it")
	case !bytes.Equal(b[1:1+tokenUser], tokenOwner(user)):
		return place{}, errToken("it was given out to another user")
	}
	return readPlace(b[1+tokenUser:])
}

func readPlace(b []byte) (place, error) {
	p := place{counting: b[0] == 1}
	seq, n := binary.Uvarint(b[1:])
	if b[0] > 1 || n <= 0 {
		return place{}, errToken("it is damaged")
	}
	bound, m := binary.Uvarint(b[1+n:])
	if m <= 0 {
		return place{}, errToken("it is damaged")
	}
	p.seq, p.bound, p.room = int64(seq), int64(bound), RoomID(b[1+n+m:])
	if p.seq < 0 || p.bound < 0 || checkOptionalID("room", string(p.room)) != nil {
		return place{}, errToken("it is damaged")
	}
	return p, nil
}

func errToken(why string) error {
	return Errorf(KindInvalid, "INVALID_PAGE_TOKEN", "page_token cannot be used: %s", why)
}
