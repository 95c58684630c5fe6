package biz

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func textsOf(words []word) (texts []string) {
	for _, w := range words {
		text := w.text
		if w.joined {
			text = "+" + text
		}
		texts = append(texts, text)
	}
	return texts
}

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                     "",
		" \t\n.,;!?-_()":                       "",
		"Hello, World!":                        "hello world",
		"don't":                                "don t",
		"snake_case kebab-case":                "snake case kebab case",
		"3.14 v2":                              "3 14 v2",
		"Ünïcödé ŁÓDŹ":                         "unicode łodz",
		"Straße ﬁn ＡＢＣ １２ ①":                   "strasse fin abc 12 1",
		"中文字":                                  "中 +文 +字",
		"中文 字":                                 "中 +文 字",
		"中,文":                                  "中 文",
		"用Go写":                                 "用 go 写",
		"スーパー":                                 "ス +ー +パ +ー",
		"ｶﾞ":                                   "ガ",
		"한국어":                                  "한 +국 +어",
		"\u1112\u1161\u11ab\u1100\u1173\u11af": "한 +글", // as its parts
		"ไทย":                                  "ไ +ท +ย",
		"👍🏽👍 ok":                               "👍 👍 ok",
		"❤️":                                   "❤",
		"👨‍👩‍👧":                                "👨 👩 👧",
		"हिन्दी":                               "हिन्दी",
		"שָׁלוֹם":                              "שָׁלוֹם",
		"co\u00adoperate zero\u200bwide":       "cooperate zerowide",
		"\xff\xfeok":                           "ok",
		"a@b.example/?x=1":                     "a b example x 1",
	} {
		if got := strings.Join(textsOf(wordsOf(text)), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestWordsEndWhereMessagesAreTooLong, and within no character.
func TestWordsEndWhereMessagesAreTooLong(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		text := strings.Repeat("x", shift) + strings.Repeat("語", MaxSearchText/3+10)
		words := wordsOf(text)
		for _, w := range words[1:] {
			if w.text != "語" {
				t.Fatalf("a word is %q", w.text)
			}
		}
		if n := len(words); n < MaxSearchText/3-1 || n > MaxSearchText/3+1 {
			t.Errorf("%d words", n)
		}
	}
}

// TestTermsSuitEveryDatabase: a term is never so short, so long or so usual that one of them drops it, and is one
// word to all of them.
func TestTermsSuitEveryDatabase(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a", "the", "www", "to", "über", "中文", "中", "👍", strings.Repeat("long", 100), strings.Repeat("長", 100), "हिन्दी", strings.Repeat("é", 30)} {
		for _, term := range SearchTerms("room", "user", text) {
			wantTerm(t, term)
		}
	}
}

func wantTerm(t *testing.T, term string) {
	t.Helper()
	if len(term) < 3 || len(term) > 64 || term[0] != 'q' || strings.Trim(term, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("the term %q", term)
	}
}

func TestTermsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, text := range []string{"a", "b", "qwa", "é", "ë", "中", "中文", "文中", strings.Repeat("a", 41), strings.Repeat("a", 42), strings.Repeat("中", 20), strings.Repeat("中", 21)} {
		term := termOf(text)
		if other, there := seen[term]; there {
			t.Errorf("%q and %q are both %q", text, other, term)
		}
		seen[term] = text
	}
	if termOfRoom("a") == termOfSender("a") || termOfRoom("a") == termOfRoom("A") {
		t.Error("a room is no sender, and not another room")
	}
}

func TestTermsOfAMessage(t *testing.T) {
	t.Parallel()
	if terms := SearchTerms("r", "u", "... !"); terms != nil {
		t.Errorf("of no words: %v", terms)
	}
	terms := SearchTerms("r", "u", "Go go 中文字, 中")
	want := []string{termOfRoom("r"), termOfSender("u"), "qwgo", termOf("中"), termOf("文"), termOf("中文"), termOf("字"), termOf("文字")}
	if !slices.Equal(terms, want) {
		t.Errorf("%v, want %v", terms, want)
	}
}

// FuzzWords: whatever the text, its terms suit every database, it says itself, and what it says is the same in
// capitals.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"Hello, World!", "中文 text", "안녕 👍🏽", "ｶﾀｶﾅ ﬁ ẞ", "\xff", "a\u0300\u0345", "ไทย हिन्दी", "İstanbul ΣΑΣ ς"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		terms := SearchTerms("r", "u", text)
		for _, term := range terms {
			wantTerm(t, term)
		}
		words := wordsOf(text)
		for i, w := range words {
			if w.text == "" || !utf8.ValidString(w.text) || w.joined && (i == 0 || !w.dense || !words[i-1].dense) {
				t.Fatalf("word %d of %q is %+v", i, text, w)
			}
		}
		if len(words) == 0 {
			return
		}
		q := searchQuery{phrases: [][]word{words}}
		if !q.matches(text) {
			t.Errorf("%q does not say itself", text)
		}
		for _, term := range q.terms() {
			if !slices.Contains(terms, term) {
				t.Errorf("%q is not found by its term %q", text, term)
			}
		}
	})
}
