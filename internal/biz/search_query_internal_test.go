package biz

import (
	"slices"
	"strings"
	"testing"
)

func TestQueries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"fox":                     "[fox]",
		"  Quick   FOX ":          "[quick] [fox]",
		`"quick fox" dog`:         "[quick fox] [dog]",
		`dog"quick fox"dog`:       "[dog] [quick fox] [dog]",
		`"quick fox`:              "[quick fox]",
		`"" fox ""`:               "[fox]",
		"„quick fox“ “a b” ＂c d＂": "[quick fox] [a b] [c d]",
		"me@example.com":          "[me example com]",
		"fox -- !!":               "[fox]",
		"天气 公园":                   "[天 +气] [公 +园]",
		"用Go写":                    "[用 go 写]",
		"👍 :-)":                   "[👍]",
	} {
		q, err := parseQuery(text)
		var parts []string
		for _, phrase := range q.phrases {
			parts = append(parts, "["+strings.Join(textsOf(phrase), " ")+"]")
		}
		if got := strings.Join(parts, " "); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ reason, says string }{
		"":                                    {"EMPTY_QUERY", "query is empty"},
		" \n":                                 {"EMPTY_QUERY", "query is empty"},
		"?!":                                  {"EMPTY_QUERY", "no letter, digit or emoji"},
		`""`:                                  {"EMPTY_QUERY", "no letter, digit or emoji"},
		"$ € +":                               {"EMPTY_QUERY", "no letter, digit or emoji"},
		"a\xff":                               {"INVALID_ARGUMENT", "UTF-8"},
		strings.Repeat("a", MaxQueryBytes+1):  {"QUERY_TOO_LONG", "257 bytes; at most 256"},
		strings.Repeat("a ", MaxQueryWords+1): {"TOO_MANY_WORDS", "17 words; at most 16"},
		strings.Repeat("a.", MaxQueryWords+1): {"TOO_MANY_WORDS", "17 words; at most 16"},
		strings.Repeat("中 ", MaxQueryWords+1): {"TOO_MANY_WORDS", "17 words; at most 16"},
	} {
		_, err := parseQuery(text)
		if e := AsError(err); err == nil || e.Kind != KindInvalid || e.Reason != want.reason || !strings.Contains(e.Text, want.says) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{strings.Repeat("a ", MaxQueryWords), strings.Repeat("中", MaxQueryBytes/3), strings.Repeat("a", MaxQueryBytes)} {
		if _, err := parseQuery(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestTermsOfAQuery: an index is asked for pairs where there are some, and for no more than it can take.
func TestTermsOfAQuery(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"fox fox":    {"qwfox"},
		"天":          {termOf("天")},
		"天气":         {termOf("天气")},
		"天气好":        {termOf("天气"), termOf("气好")},
		"天 气":        {termOf("天"), termOf("气")},
		`"go天 气好 x"`: {"qwgo", termOf("天"), termOf("气好"), "qwx"},
	} {
		q, err := parseQuery(text)
		if got := q.terms(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	var long []rune
	for r := range rune(80) {
		long = append(long, 0x4e00+r)
	}
	q, err := parseQuery(string(long))
	if n := len(q.terms()); err != nil || n != maxLookedUp {
		t.Errorf("%d terms, %v", n, err)
	}
	if !q.matches("x"+string(long)+"y") || q.matches(string(long[1:])) {
		t.Error("what is compared is not all of the query")
	}
}

// FuzzQuery: a query is refused with a reason that says why, or finds the text that it consists of.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{`"quick fox" dog`, `"`, `""""`, "天气 \"公园 散步\"", "a AND b OR (c) -d e*", "\xff", "“x”"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseQuery(text)
		if err != nil {
			if e := AsError(err); e.Kind != KindInvalid || e.Reason == "" || e.Text == "" {
				t.Errorf("%q is refused with %v", text, err)
			}
			return
		}
		terms := q.terms()
		if len(terms) == 0 || len(terms) > maxLookedUp {
			t.Errorf("%q has %d terms", text, len(terms))
		}
		for _, term := range terms {
			wantTerm(t, term)
		}
		if !q.matches(text) {
			t.Errorf("%q does not find itself", text)
		}
		if q.matches("") {
			t.Errorf("%q finds nothing at all", text)
		}
	})
}
