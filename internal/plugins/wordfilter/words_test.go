package wordfilter

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// FuzzMask holds the search, with a table and without, against one for each word by itself.
func FuzzMask(f *testing.F) {
	f.Add("a\nab\nbab", "ababab", false)
	f.Add("敏感\n感词", "敏感词 敏感", true)
	f.Add("x\n\xe4", "\xff x\xe4x", true)
	f.Add("K\nk", "\u212A k K", false)
	f.Add("aaa\naa", "aaaaaaa baaa", true)
	f.Fuzz(func(t *testing.T, list, text string, whole bool) {
		if _, err := parseWords([]byte(list), whole); err != nil {
			return
		}
		want := naive(list, []byte(text), whole)
		for _, table := range []bool{true, false} {
			got, found := newWords(folded(list), whole, table).mask([]byte(text))
			if !bytes.Equal(got, want) || !found && !bytes.Equal(got, []byte(text)) {
				t.Errorf("%q in %q, table %v: got %q, %v, want %q", list, text, table, got, found, want)
			}
		}
	})
}

// folded is the words of a list, as parseWords has them.
func folded(list string) (words [][]byte) {
	for _, line := range bytes.Split([]byte(strings.TrimPrefix(list, "\ufeff")), []byte("\n")) {
		if word := bytes.TrimSpace(line); len(word) > 0 && word[0] != '#' {
			words = append(words, fold(word))
		}
	}
	return words
}

func naive(list string, text []byte, whole bool) []byte {
	masked, small := bytes.Clone(text), fold(text)
	for _, word := range folded(list) {
		for i := 0; i+len(word) <= len(small); i++ {
			if bytes.HasPrefix(small[i:], word) && (!whole || !within(small, i, i+len(word))) {
				copy(masked[i:], bytes.Repeat([]byte("*"), len(word)))
			}
		}
	}
	return masked
}

func BenchmarkMask(b *testing.B) {
	var list strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&list, "敏感词%d\n", i)
	}
	w, err := parseWords([]byte(list.String()), true)
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(strings.Repeat("一条普通的消息 with words, ", 4))
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, found := w.mask(text); found {
			b.Fatal("found")
		}
	}
}
