package wordfilter

import (
	"bytes"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	ahocorasick "github.com/petar-dambovaliev/aho-corasick"
)

const (
	maxWordBytes = 1 << 10
	// maxTableBytes bounds the lists that are looked up in a table of states and letters, which is faster,
	// and for a large list larger than a node should be.
	maxTableBytes = 16 << 10
)

// words finds the words of a list, whatever their case. Safe for concurrent use.
type words struct {
	count  int
	finder ahocorasick.AhoCorasick
	whole  bool
}

// parseWords reads a list: a word or a phrase in each line. Spaces around it do not belong to it; empty
// lines, and those that begin with #, say nothing.
func parseWords(text []byte, whole bool) (*words, error) {
	var list [][]byte
	n, size := 0, 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		n++
		word := bytes.TrimSpace(line)
		switch {
		case len(word) == 0 || word[0] == '#':
			continue
		case !utf8.Valid(word):
			return nil, fmt.Errorf("line %d is not UTF-8", n)
		case len(word) > maxWordBytes:
			return nil, fmt.Errorf("line %d has %d bytes; at most %d are allowed", n, len(word), maxWordBytes)
		}
		list, size = append(list, fold(word)), size+len(word)
	}
	return newWords(list, whole, size <= maxTableBytes), nil
}

func newWords(folded [][]byte, whole, table bool) *words {
	slices.SortFunc(folded, bytes.Compare)
	folded = slices.CompactFunc(folded, bytes.Equal)
	w := &words{count: len(folded), whole: whole}
	if w.count > 0 {
		b := ahocorasick.NewAhoCorasickBuilder(ahocorasick.Opts{MatchKind: ahocorasick.StandardMatch, DFA: table})
		w.finder = b.BuildByte(folded)
	}
	return w
}

// mask returns text with a star in the place of each byte of the words that are found: so it keeps its
// length, and what encloses it, such as protobuf or JSON, stays whole.
func (w *words) mask(text []byte) (masked []byte, found bool) {
	if w == nil || w.count == 0 {
		return text, false
	}
	folded := fold(text)
	masked = text
	all := w.finder.IterOverlappingByte(folded)
	for m := all.Next(); m != nil; m = all.Next() {
		if w.whole && within(folded, m.Start(), m.End()) {
			continue
		}
		if !found {
			masked, found = bytes.Clone(text), true
		}
		for i := m.Start(); i < m.End(); i++ {
			masked[i] = '*'
		}
	}
	return masked, found
}

// fold makes letters small that take as many bytes when they are, so that places stay.
func fold(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if small := unicode.ToLower(r); r != utf8.RuneError && utf8.RuneLen(small) == n {
			out = utf8.AppendRune(out, small)
		} else {
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	return out
}

// within tells whether what is found is part of a longer word.
func within(text []byte, start, end int) bool {
	before, _ := utf8.DecodeLastRune(text[:start])
	first, _ := utf8.DecodeRune(text[start:])
	last, _ := utf8.DecodeLastRune(text[:end])
	after, _ := utf8.DecodeRune(text[end:])
	return spelled(before) && spelled(first) || spelled(last) && spelled(after)
}

// spelled tells whether r is of words that have spaces between them, as those of Chinese have not.
func spelled(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
