package biz

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// A search's token is a place in bytes, as that of a synchronisation is: a version, whose it is and of which
// search, the place, and a sum that finds accidents.
const (
	searchTokenVersion  = 0x81
	searchTokenSearch   = 8 // bytes of a hash
	maxSearchTokenBytes = 1 + tokenUser + searchTokenSearch + 2*binary.MaxVarintLen64 + MaxIDBytes + tokenSum
)

func (p SearchPlace) token(user UserID, req SearchRequest) string {
	b := append(make([]byte, 0, maxSearchTokenBytes), searchTokenVersion)
	b = append(b, tokenOwner(user)...)
	b = append(b, req.hash()...)
	b = binary.AppendVarint(b, p.At)
	b = binary.AppendUvarint(b, uint64(p.Seq))
	b = append(b, p.Room...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return tokenText.EncodeToString(b)
}

// hash is of all that has to be the same in every page of a search.
func (r SearchRequest) hash() []byte {
	rooms, from := slices.Sorted(slices.Values(r.Rooms)), slices.Sorted(slices.Values(r.From))
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %d", r.Query, rooms, from, r.Since.UnixNano(), r.Until.UnixNano()))
	return sum[:searchTokenSearch]
}

// readSearchToken is the way back. An empty token is the beginning.
func readSearchToken(token string, user UserID, req SearchRequest) (SearchPlace, error) {
	if token == "" {
		return SearchPlace{}, nil
	}
	if len(token) > tokenText.EncodedLen(maxSearchTokenBytes) {
		return SearchPlace{}, errToken("it is longer than any that was given out")
	}
	b, err := tokenText.DecodeString(token)
	if err != nil || len(b) < 1+tokenUser+searchTokenSearch+tokenSum {
		return SearchPlace{}, errToken("it is not one that was given out")
	}
	b, sum := b[:len(b)-tokenSum], binary.BigEndian.Uint32(b[len(b)-tokenSum:])
	switch {
	case crc32.ChecksumIEEE(b) != sum:
		return SearchPlace{}, errToken("it is damaged")
	case b[0] != searchTokenVersion:
		return SearchPlace{}, errToken("it was given out by another version of the server, or for another call; begin again without it")
	case !bytes.Equal(b[1:1+tokenUser], tokenOwner(user)):
		return SearchPlace{}, errToken("it was given out to another user")
	}
	b = b[1+tokenUser:]
	if !bytes.Equal(b[:searchTokenSearch], req.hash()) {
		return SearchPlace{}, errToken("it was given out for another search; query, room_ids, from_user_ids, since and until are the same in all pages")
	}
	return readSearchPlace(b[searchTokenSearch:])
}

func readSearchPlace(b []byte) (SearchPlace, error) {
	at, n := binary.Varint(b)
	if n <= 0 || at == 0 {
		return SearchPlace{}, errToken("it is damaged")
	}
	seq, m := binary.Uvarint(b[n:])
	p := SearchPlace{At: at, Seq: int64(seq), Room: RoomID(b[max(0, n+m):])}
	if m <= 0 || p.Seq < 0 || checkOptionalID("room", string(p.Room)) != nil {
		return SearchPlace{}, errToken("it is damaged")
	}
	return p, nil
}
