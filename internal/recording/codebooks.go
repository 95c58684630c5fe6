package recording

import (
	"math"
	"math/bits"
)

const (
	// maxEntries and maxValues bound one codebook of Vorbis. Encoders make some dozens, of 6,561 entries at most.
	maxEntries = 1 << 13
	maxValues  = 1 << 17
	// maxAllEntries and maxAllValues bound all of them together: the decoder's work for a book grows with
	// the square of its entries.
	maxAllEntries = 1 << 15
	maxAllValues  = 1 << 20
)

// checkCodebooks refuses tables that would take more memory than they have reason to, or that the decoder
// would never come to the end of. It reads what the decoder will read, and keeps none of it.
func checkCodebooks(setup []byte) error {
	if len(setup) < 8 || string(setup[:7]) != "\x05vorbis" {
		return errUnreadable
	}
	r := &bitReader{bytes: setup[7:]}
	allEntries, allValues := 0, 0
	for range r.read(8) + 1 {
		entries, values, err := checkCodebook(r)
		if err != nil {
			return err
		}
		allEntries, allValues = allEntries+entries, allValues+values
		if allEntries > maxAllEntries || allValues > maxAllValues {
			return errUnreadable
		}
	}
	return nil
}

// checkCodebook also refuses a book without dimensions and one without codes: the decoder waits for ever for
// what they give.
func checkCodebook(r *bitReader) (entries, values int, err error) {
	if r.read(24) != 0x564342 {
		return 0, 0, errUnreadable
	}
	dimensions := int(r.read(16))
	entries = int(r.read(24))
	values = entries * dimensions
	if dimensions == 0 || entries == 0 || entries > maxEntries || values > maxValues {
		return 0, 0, errUnreadable
	}
	skip := r.skipLengths
	if r.read(1) == 1 {
		skip = r.skipOrdered
	}
	if !skip(entries) {
		return 0, 0, errUnreadable
	}
	switch kind := r.read(4); kind {
	case 0:
		return entries, 0, r.err()
	case 1, 2:
		r.skip(64)
		width := int(r.read(4)) + 1
		r.skip(1)
		numbers := values
		if kind == 1 {
			numbers = int(math.Floor(math.Pow(float64(entries), 1/float64(dimensions))))
		}
		r.skip(width * numbers)
		return entries, values, r.err()
	}
	return 0, 0, errUnreadable
}

// bitReader takes numbers from bytes, from the lowest bit on. Beyond the end there are zeros.
type bitReader struct {
	bytes []byte
	at    int // bits
}

func (r *bitReader) read(n int) (v uint32) {
	for i := range n {
		if at := r.at >> 3; at < len(r.bytes) {
			v |= uint32(r.bytes[at]>>(r.at&7)&1) << i
		}
		r.at++
	}
	return v
}

func (r *bitReader) skip(n int) { r.at += n }

func (r *bitReader) ended() bool { return r.at > 8*len(r.bytes) }

func (r *bitReader) err() error {
	if r.ended() {
		return errUnreadable
	}
	return nil
}

// skipLengths tells whether there is a length at all.
func (r *bitReader) skipLengths(entries int) (some bool) {
	sparse := r.read(1) == 1
	for range entries {
		if !sparse || r.read(1) == 1 {
			r.skip(5)
			some = true
		}
	}
	return some
}

// skipOrdered tells whether the lengths come to an end.
func (r *bitReader) skipOrdered(entries int) bool {
	const longest = 32
	length := r.read(5) + 1
	for left := entries; left > 0; length++ {
		if length > longest || r.ended() {
			return false
		}
		n := int(r.read(bits.Len(uint(left))))
		if n > left {
			return false
		}
		left -= n
	}
	return true
}
