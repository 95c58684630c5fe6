package biz

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxSearchText is how many bytes of a message's text can be found, from its beginning.
const MaxSearchText = 64 << 10

// word is what a search compares: a run of letters and digits, a symbol such as an emoji, or, of scripts that
// put no spaces between words, a single character.
type word struct {
	text  string
	dense bool // a character of such a script
	// joined: it follows a dense one with nothing in between. Such a pair is what an index knows.
	joined bool
}

// denseScripts are those that say where a word ends to nobody but a reader. Korean has spaces, but glues to
// its words what others write apart.
var denseScripts = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// prolonged is a vowel's sign that Japanese scripts share, and so belongs to none.
const prolonged = 'ー'

// wordsOf are the words of a text, in their order. Words that people take for the same are the same: case,
// accents and widths do not matter.
func wordsOf(text string) []word {
	text = folded(beginning(text))
	var words []word
	start := -1 // of the run that is going on
	end := func(at int) {
		if start >= 0 {
			words = append(words, word{text: text[start:at]})
			start = -1
		}
	}
	dense := false // the character before was
	for i, r := range text {
		switch kind := kindOf(r); kind {
		case letter:
			if start < 0 {
				start = i
			}
			dense = false
		default:
			end(i)
			if kind != separator {
				words = append(words, word{text: text[i : i+utf8.RuneLen(r)], dense: kind == denseLetter, joined: dense && kind == denseLetter})
			}
			dense = kind == denseLetter
		}
	}
	end(len(text))
	return words
}

type runeKind int8

const (
	separator runeKind = iota
	letter
	denseLetter
	symbol
)

func kindOf(r rune) runeKind {
	switch {
	case r < utf8.RuneSelf:
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return letter
		}
		return separator
	case r == utf8.RuneError:
		return separator
	case r == prolonged || unicode.In(r, denseScripts...):
		return denseLetter
	case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
		return letter
	case unicode.Is(unicode.So, r):
		return symbol
	}
	return separator
}

// beginning is what of a text can be found, in whole characters.
func beginning(text string) string {
	if len(text) <= MaxSearchText {
		return text
	}
	end := MaxSearchText
	for end > MaxSearchText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// folded writes the same whatever case, accents, widths and invisible marks it had. Accents are taken off
// once they stand apart; what else belongs together, as the parts of Hangul do, is put together again.
func folded(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	text = strings.Map(unaccented, norm.NFKD.String(text))
	text = cases.Fold().String(text)
	return norm.NFKC.String(text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unaccented drops accents of European scripts, the choice between forms of one character, and marks that
// nobody sees.
func unaccented(r rune) rune {
	switch {
	case 0x300 <= r && r <= 0x36f, 0xfe00 <= r && r <= 0xfe0f, 0xe0100 <= r && r <= 0xe01ef, unicode.Is(unicode.Cf, r):
		return -1
	}
	return r
}

// A term is a word, a pair of dense characters, a room or a sender as indexes know it: letters and digits of
// ASCII alone, never one that is so short or so usual that a database leaves it out, nor one that is too long.
const (
	plainTerm  = "qw" // a word as it is
	codedTerm  = "qu" // one that is not ASCII, encoded
	hashedTerm = "qh" // one that is too long
	roomTerm   = "qr"
	senderTerm = "qs"

	maxPlainTerm = 40 // bytes
	maxCodedTerm = 25
	idHash       = 8
	longHash     = 10
)

var termText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

func termOf(text string) string {
	switch {
	case len(text) <= maxPlainTerm && isASCII(text):
		return plainTerm + text
	case len(text) <= maxCodedTerm:
		return codedTerm + termText.EncodeToString([]byte(text))
	}
	return hashedTerm + digest(text, longHash)
}

func digest(text string, bytes int) string {
	sum := sha256.Sum256([]byte(text))
	return termText.EncodeToString(sum[:bytes])
}

func termOfRoom(room RoomID) string { return roomTerm + digest(string(room), idHash) }

func termOfSender(user UserID) string { return senderTerm + digest(string(user), idHash) }

// SearchTerms are what an index keeps of a message that says text, each term once; nil when there is nothing
// to be found in it.
func SearchTerms(room RoomID, sender UserID, text string) []string {
	words := wordsOf(text)
	if len(words) == 0 {
		return nil
	}
	terms := make([]string, 0, 2+len(words))
	seen := make(map[string]bool, cap(terms))
	add := func(term string) {
		if !seen[term] {
			seen[term] = true
			terms = append(terms, term)
		}
	}
	add(termOfRoom(room))
	add(termOfSender(sender))
	for i, w := range words {
		add(termOf(w.text))
		if w.joined {
			add(termOf(words[i-1].text + w.text))
		}
	}
	return terms
}
