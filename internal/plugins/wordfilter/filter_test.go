package wordfilter_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/plugins/wordfilter"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// started returns a filter with the words, its file and its log.
func started(t *testing.T, words string, set func(*wordfilter.Config)) (*wordfilter.Filter, string, *logged) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "words.txt")
	write(t, file, words)
	f := wordfilter.New()
	c := f.Config().(*wordfilter.Config)
	c.WordsFile, c.CheckEvery = file, 100*time.Millisecond
	if set != nil {
		set(c)
	}
	if err := f.Validate(); err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	if err := f.Start(plugin.WithLogger(t.Context(), slog.New(slog.NewTextHandler(log, nil)))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f, file, log
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// logged is what was logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// filtered is what becomes of a text.
func filtered(t *testing.T, f *wordfilter.Filter, kind plugin.MessageType, text string) string {
	t.Helper()
	m, err := f.InterceptMessage(t.Context(), plugin.Message{Type: kind, Content: []byte(text)})
	var refused *plugin.Error
	switch {
	case errors.As(err, &refused) && refused.Kind == plugin.KindRefused:
		return "refused: " + refused.Reason
	case err != nil:
		t.Fatal(err)
	}
	return string(m.Content)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	plugintest.Plugin(t, func() plugin.Plugin { return wordfilter.New() })
	for _, action := range []string{wordfilter.Mask, wordfilter.Refuse} {
		f, _, _ := started(t, "hello\n世界\n", func(c *wordfilter.Config) { c.Action = action })
		plugintest.MessageInterceptor(t, f, plugin.Message{Type: plugin.Text, Content: []byte("hello hello")})
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	f, _, _ := started(t, "\ufeff# a comment\n  Darn  \r\n\nheck of a\nnew\nnew yorker\n敏感\n敏感词\nПлохо\nÄrger\n", nil)
	for text, want := range map[string]string{
		"":                           "",
		"fine":                       "fine",
		"darn":                       "****",
		"DARN it, dArN":              "**** it, ****",
		"darned, undarn, darn1":      "darned, undarn, darn1",
		"a heck of a day":            "a ********* day",
		"new yorkers":                "*** yorkers", // the longer one is within a word
		"a new yorker":               "a **********",
		"darn\nnew":                  "****\n***",
		"这是敏感词吗":                     "这是" + strings.Repeat("*", 9) + "吗",
		"敏感":                         "******",
		"敏 感":                        "敏 感",
		"очень плохо, неплохо":       "очень **********, неплохо",
		"ÄRGER und ärger":            "****** und ******",
		`{"text":"darn","n":1}`:      `{"text":"****","n":1}`,
		"\x0a\x04darn":               "\x0a\x04****",
		"\xff\xfedarn":               "\xff\xfe****",
		"# a comment":                "# a comment",
		"\u212Aelvin darn \u0130x":   "\u212Aelvin **** \u0130x", // letters that are longer or shorter when small
		strings.Repeat("darn ", 100): strings.Repeat("**** ", 100),
	} {
		if got := filtered(t, f, plugin.Text, text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := filtered(t, f, plugin.RichText, "darn"); got != "****" {
		t.Errorf("rich text: got %q", got)
	}
	for _, kind := range []plugin.MessageType{plugin.Recording, plugin.System} {
		if got := filtered(t, f, kind, "darn"); got != "darn" {
			t.Errorf("type %d: got %q", kind, got)
		}
	}
}

func TestWithinWords(t *testing.T) {
	t.Parallel()
	f, _, _ := started(t, "darn\n", func(c *wordfilter.Config) { c.WholeWords = false })
	if got := filtered(t, f, plugin.Text, "undarned"); got != "un****ed" {
		t.Errorf("got %q", got)
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	f, _, _ := started(t, "darn\n", func(c *wordfilter.Config) { c.Action, c.Reason = wordfilter.Refuse, "mind your words" })
	if got := filtered(t, f, plugin.Text, "well, darn"); got != "refused: mind your words" {
		t.Errorf("got %q", got)
	}
	if got := filtered(t, f, plugin.Text, "well"); got != "well" {
		t.Errorf("got %q", got)
	}
}

// TestNoWords: an empty list is a list.
func TestNoWords(t *testing.T) {
	t.Parallel()
	f, _, _ := started(t, "# none yet\n", nil)
	if got := filtered(t, f, plugin.Text, "darn"); got != "darn" {
		t.Errorf("got %q", got)
	}
}

// TestReload: a changed file is used, one that cannot be used is not and is told of once, and the next
// good one is used again.
func TestReload(t *testing.T) {
	t.Parallel()
	f, file, log := started(t, "old\n", nil)
	becomes := func(want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); filtered(t, f, plugin.Text, "old new") != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it is still %q", filtered(t, f, plugin.Text, "old new"))
			}
		}
	}
	replace := func(text string) {
		t.Helper()
		next := file + ".next"
		write(t, next, text)
		if err := os.Rename(next, file); err != nil { // as editors and mounted volumes do it
			t.Fatal(err)
		}
	}
	becomes("*** new")
	replace("new\n")
	becomes("old ***")
	replace("\xff\n")
	for end := time.Now().Add(time.Minute); log.count("line 1 is not UTF-8") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the log does not say that the words cannot be used")
		}
	}
	becomes("old ***")
	replace("old\nnew\n")
	becomes("*** ***")
	if n := log.count("cannot be used"); n != 1 {
		t.Errorf("a bad list was told of %d times", n)
	}
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	for says, set := range map[string]func(*wordfilter.Config){
		"words_file is empty":       func(c *wordfilter.Config) { c.WordsFile = "" },
		`action "hide" is not`:      func(c *wordfilter.Config) { c.Action = "hide" },
		"one of mask, refuse":       func(c *wordfilter.Config) { c.Action = "" },
		"reason has 0 bytes":        func(c *wordfilter.Config) { c.Reason = "" },
		"check_every is 1ms; 100ms": func(c *wordfilter.Config) { c.CheckEvery = time.Millisecond },
	} {
		f := wordfilter.New()
		c := f.Config().(*wordfilter.Config)
		c.WordsFile = "words.txt"
		set(c)
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}

func TestWordsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for words, says := range map[string]string{
		"fine\n\xff\n":                   "line 2 is not UTF-8",
		strings.Repeat("x", 2000) + "\n": "line 1 has 2000 bytes; at most 1024 are allowed",
	} {
		f := wordfilter.New()
		c := f.Config().(*wordfilter.Config)
		c.WordsFile = filepath.Join(t.TempDir(), "words.txt")
		if err := f.Start(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("without a file: %v", err)
		}
		write(t, c.WordsFile, words)
		if err := f.Start(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
