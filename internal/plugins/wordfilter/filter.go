// Package wordfilter is a plugin that keeps words out of rooms: it masks them, or refuses the message.
// The words are in a file, which is read again when it changes. It knows of the node what any plugin
// knows.
package wordfilter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/plugin"
)

// What becomes of a message with such a word.
const (
	Mask   = "mask"
	Refuse = "refuse"
)

// Config is its keys.
type Config struct {
	WordsFile  string        `json:"words_file"`  // a word in each line
	Action     string        `json:"action"`      // mask, refuse
	Reason     string        `json:"reason"`      // what the sender of a refused message is told
	WholeWords bool          `json:"whole_words"` // not within a longer word, where words have spaces between them
	CheckEvery time.Duration `json:"check_every"` // how often the file is looked at
}

// Filter is the plugin. Its methods may be called by many goroutines at once.
type Filter struct {
	config Config
	words  atomic.Pointer[words]
	log    *slog.Logger
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// The capabilities.
var (
	_ plugin.Configurable       = (*Filter)(nil)
	_ plugin.Validator          = (*Filter)(nil)
	_ plugin.Starter            = (*Filter)(nil)
	_ plugin.Stopper            = (*Filter)(nil)
	_ plugin.MessageInterceptor = (*Filter)(nil)
)

// New returns a filter that has no words before it starts.
func New() *Filter {
	return &Filter{config: Config{Action: Mask, Reason: "the message has a word that is not wanted here", WholeWords: true, CheckEvery: 2 * time.Second}}
}

// Name implements plugin.Plugin.
func (*Filter) Name() string { return "word-filter" }

// Renew implements plugin.Renewable.
func (*Filter) Renew() plugin.Plugin { return New() }

// Config implements plugin.Configurable.
func (f *Filter) Config() any { return &f.config }

// Validate implements plugin.Validator.
func (f *Filter) Validate() error {
	c := &f.config
	switch {
	case c.WordsFile == "":
		return errors.New("words_file is empty; name a file with a word in each line")
	case c.Action != Mask && c.Action != Refuse:
		return fmt.Errorf("action %q is not known; one of %s, %s", c.Action, Mask, Refuse)
	case c.Reason == "" || len(c.Reason) > 1<<10:
		return fmt.Errorf("reason has %d bytes; 1 to 1024 are allowed", len(c.Reason))
	case c.CheckEvery < 100*time.Millisecond || c.CheckEvery > time.Hour:
		return fmt.Errorf("check_every is %s; 100ms to 1h are allowed", c.CheckEvery)
	}
	return nil
}

// Start implements plugin.Starter. A list that cannot be used keeps the node from starting.
func (f *Filter) Start(ctx context.Context) error {
	text, err := readWords(f.config.WordsFile)
	if err != nil {
		return err
	}
	list, err := parseWords(text, f.config.WholeWords)
	if err != nil {
		return fmt.Errorf("%s: %w", f.config.WordsFile, err)
	}
	f.words.Store(list)
	f.log = plugin.Logger(ctx)
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.ended.Go(func() { f.follow(ctx, text) })
	return nil
}

// Stop implements plugin.Stopper.
func (f *Filter) Stop(context.Context) error {
	f.cancel()
	f.ended.Wait()
	return nil
}

// follow looks at the file again and again: that sees every change, whichever way a file is replaced and
// wherever it is.
func (f *Filter) follow(ctx context.Context, text []byte) {
	tick := time.NewTicker(f.config.CheckEvery)
	defer tick.Stop()
	file := &watched{path: f.config.WordsFile, text: text}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.reload(file)
		}
	}
}

// reload takes the words that the file has now. With a list that cannot be used the last one stays, and
// the log is told once.
func (f *Filter) reload(file *watched) {
	text, changed, err := file.read()
	if err == nil && !changed {
		file.fault = ""
		return
	}
	var list *words
	if err == nil {
		list, err = parseWords(text, f.config.WholeWords)
	}
	switch {
	case err == nil:
		file.text, file.fault = text, ""
		f.words.Store(list)
		f.log.Info("there are new words", "file", file.path, "words", list.count)
	case file.fault != err.Error():
		file.fault = err.Error()
		f.log.Error("the words cannot be used; the last ones stay", "file", file.path, "error", err)
	}
}

// InterceptMessage implements plugin.MessageInterceptor.
func (f *Filter) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	if m.Type != plugin.Text && m.Type != plugin.RichText {
		return m, nil
	}
	masked, found := f.words.Load().mask(m.Content)
	switch {
	case !found:
		return m, nil
	case f.config.Action == Refuse:
		return m, plugin.Refused("%s", f.config.Reason)
	}
	m.Content = masked
	return m, nil
}
