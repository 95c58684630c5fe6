package biz

import (
	"strings"
	"unicode/utf8"
)

// Bounds of a query.
const (
	MaxQueryBytes = 256
	MaxQueryWords = 16
	// maxLookedUp is how many terms of a query an index is asked for. What they find is compared with all of it.
	maxLookedUp = 32
)

// searchQuery is what a message has to say: every phrase. The words of a phrase stand one after another in it.
type searchQuery struct {
	phrases [][]word
}

// parseQuery reads a query: words, and phrases in quotes. A word that is not one to an index, such as an
// address or a run of Chinese, is a phrase too.
func parseQuery(text string) (searchQuery, error) {
	switch {
	case len(text) > MaxQueryBytes:
		return searchQuery{}, Errorf(KindInvalid, "QUERY_TOO_LONG", "query has %d bytes; at most %d are allowed", len(text), MaxQueryBytes)
	case !utf8.ValidString(text):
		return searchQuery{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "query is not valid UTF-8")
	case strings.TrimSpace(text) == "":
		return searchQuery{}, Errorf(KindInvalid, "EMPTY_QUERY", "query is empty; it says words that a message has to have")
	}
	var q searchQuery
	count := 0
	for _, piece := range pieces(text) {
		phrase := wordsOf(piece)
		for _, w := range phrase {
			if !w.joined {
				count++
			}
		}
		if len(phrase) > 0 {
			q.phrases = append(q.phrases, phrase)
		}
	}
	switch {
	case count == 0:
		return searchQuery{}, Errorf(KindInvalid, "EMPTY_QUERY", "query %s has no letter, digit or emoji to look for", quote(text))
	case count > MaxQueryWords:
		return searchQuery{}, Errorf(KindInvalid, "TOO_MANY_WORDS", "query has %d words; at most %d are allowed", count, MaxQueryWords)
	}
	return q, nil
}

// pieces splits a query at blanks that are not in quotes. The last quote may be missing.
func pieces(text string) (list []string) {
	for quoted := false; ; quoted = !quoted {
		part, rest, more := cutAtQuote(text)
		if quoted {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
		if !more {
			return list
		}
		text = rest
	}
}

// quotes are the marks that people, and the keyboards of their phones, put around a phrase.
const quotes = `"“”„＂`

func cutAtQuote(text string) (before, after string, found bool) {
	i := strings.IndexAny(text, quotes)
	if i < 0 {
		return text, "", false
	}
	_, size := utf8.DecodeRuneInString(text[i:])
	return text[:i], text[i+size:], true
}

// terms are what an index is asked for: whatever the query matches has all of them.
func (q searchQuery) terms() (terms []string) {
	seen := make(map[string]bool)
	for _, phrase := range q.phrases {
		for i, w := range phrase {
			text := w.text
			switch {
			case w.joined:
				text = phrase[i-1].text + text
			case w.dense && i+1 < len(phrase) && phrase[i+1].joined: // the pair says more
				continue
			}
			if term := termOf(text); !seen[term] && len(terms) < maxLookedUp {
				seen[term] = true
				terms = append(terms, term)
			}
		}
	}
	return terms
}

// matches tells whether a text says all of it.
func (q searchQuery) matches(text string) bool {
	words := wordsOf(text)
	for _, phrase := range q.phrases {
		if !says(words, phrase) {
			return false
		}
	}
	return true
}

func says(words, phrase []word) bool {
	for i := range len(words) - len(phrase) + 1 {
		if begins(words[i:], phrase) {
			return true
		}
	}
	return false
}

func begins(words, phrase []word) bool {
	for i, w := range phrase {
		if words[i].text != w.text || w.joined && !words[i].joined {
			return false
		}
	}
	return true
}
