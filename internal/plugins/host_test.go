package plugins_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

// keyed is a plugin with keys of all kinds.
type keyed struct {
	keys struct {
		Text  string         `json:"text"`
		Flag  bool           `json:"flag"`
		Count uint8          `json:"count"`
		Share float64        `json:"share"`
		Wait  time.Duration  `json:"wait"`
		List  []string       `json:"list"`
		Map   map[string]int `json:"map"`
		Deep  struct {
			Key string `json:"key"`
		} `json:"deep"`
		Own string // no key
	}
	wrong string
}

func (*keyed) Name() string { return "keyed" }

func (k *keyed) Config() any {
	k.keys.Text, k.keys.Count = "default", 3
	return &k.keys
}

func (k *keyed) Validate() error {
	if k.wrong = k.keys.Text; k.wrong == "wrong" {
		return errors.New(`text: "wrong" is not known; one of right`)
	}
	return nil
}

func newHost(t *testing.T, keys map[string]any, linked ...plugin.Plugin) (*plugins.Host, error) {
	t.Helper()
	c := &conf.Plugin{Name: "keyed"}
	if keys != nil {
		var err error
		if c.Config, err = structpb.NewStruct(keys); err != nil {
			t.Fatal(err)
		}
	}
	return newHostOf(t, c, linked...)
}

func newHostOf(t *testing.T, c *conf.Plugin, linked ...plugin.Plugin) (*plugins.Host, error) {
	t.Helper()
	return plugins.New([]*conf.Plugin{c}, linked, plugins.NewMetrics(), slog.New(slog.DiscardHandler))
}

func TestKeysAreSet(t *testing.T) {
	t.Parallel()
	k := &keyed{}
	if _, err := newHost(t, map[string]any{
		"flag": true, "count": 255, "share": 0.5, "wait": "1m30s", "list": []any{"a", "b"}, "map": map[string]any{"x": 1}, "deep": map[string]any{"key": "v"},
	}, k); err != nil {
		t.Fatal(err)
	}
	got := k.keys
	if got.Text != "default" || !got.Flag || got.Count != 255 || got.Share != 0.5 || got.Wait != 90*time.Second ||
		!slices.Equal(got.List, []string{"a", "b"}) || got.Map["x"] != 1 || got.Deep.Key != "v" {
		t.Errorf("got %+v", got)
	}
}

// TestWrongKeys are refused, and what is allowed is said; what the values are is not.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		keys map[string]any
		says string
	}{
		{map[string]any{"txt": "hush"}, "plugins[0].config.txt: no such key; allowed here: count, deep, flag, list, map, share, text, wait"},
		{map[string]any{"Own": "hush"}, "plugins[0].config.Own: no such key"},
		{map[string]any{"deep": map[string]any{"ky": 1}}, "plugins[0].config.deep.ky: no such key; allowed here: key"},
		{map[string]any{"deep": "hush"}, "plugins[0].config.deep: must be a section with the keys key"},
		{map[string]any{"text": 1}, "plugins[0].config.text: must be a text"},
		{map[string]any{"flag": "hush"}, "plugins[0].config.flag: must be a true or false"},
		{map[string]any{"count": 256}, "plugins[0].config.count: must be a number that fits a Go uint8"},
		{map[string]any{"count": -1}, "plugins[0].config.count: must be a number"},
		{map[string]any{"count": 1.5}, "plugins[0].config.count: must be a number"},
		{map[string]any{"wait": 5}, "plugins[0].config.wait: is not a duration; write it like 250ms"},
		{map[string]any{"list": "hush"}, "plugins[0].config.list: must be a list"},
		{map[string]any{"list": []any{"a", 1}}, "plugins[0].config.list[1]: must be a text"},
		{map[string]any{"map": map[string]any{"x": "hush"}}, "plugins[0].config.map.x: must be a number"},
		{map[string]any{"text": "wrong"}, `plugins[0].config: text: "wrong" is not known; one of right`},
	} {
		_, err := newHost(t, test.keys, &keyed{})
		var problems conf.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v: got %v, want %s", test.keys, err, test.says)
		}
	}
}

// named is a plugin that has a name and nothing else.
type named string

func (n named) Name() string { return string(n) }

func TestUnknownPlugins(t *testing.T) {
	t.Parallel()
	for says, linked := range map[string][]plugin.Plugin{
		`plugins[0].name: "keyed" is not linked into this node; one of a, b. A plugin that runs outside needs process.command or service.targets`: {named("b"), named("a"), named("b")},
		`plugins[0].name: two plugins are named "keyed"`:  {named("keyed"), &keyed{}},
		`plugins[0].config: the plugin keyed has no keys`: {named("keyed")},
	} {
		if _, err := newHost(t, map[string]any{"k": 1}, linked...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}

// TestNoPluginNoCost: without one that concerns them, the parts of a node are handed back as they are.
func TestNoPluginNoCost(t *testing.T) {
	t.Parallel()
	h, _ := hosted(t, nil, named("idle"))
	l := &live{}
	services := biz.LoginOnly{}
	if h.Interceptor() != nil || h.Authorizer() != nil || h.Sessions() != nil || h.Observe(l) != plugins.Live(l) || h.Answer(services) != biz.Upstream(services) {
		t.Error("something stands between the node and nobody")
	}
}

// worker is a plugin that notes its steps.
type worker struct {
	name  string
	steps *[]string
	fails bool
	hangs bool
}

func (w worker) Name() string { return w.name }

func (w worker) Start(ctx context.Context) error {
	if plugin.Logger(ctx) == slog.Default() {
		return errors.New("without a logger")
	}
	*w.steps = append(*w.steps, "start "+w.name)
	if w.fails {
		return errors.New("no luck")
	}
	return nil
}

func (w worker) Stop(ctx context.Context) error {
	*w.steps = append(*w.steps, "stop "+w.name)
	if w.hangs {
		<-ctx.Done()
		time.Sleep(time.Hour)
	}
	return nil
}

func TestPluginsStopInReverse(t *testing.T) {
	t.Parallel()
	var steps []string
	h, _ := hosted(t, nil, worker{name: "a", steps: &steps}, named("b"), worker{name: "c", steps: &steps})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Stop()
	if want := []string{"start a", "start c", "stop c", "stop a"}; !slices.Equal(steps, want) {
		t.Errorf("got %v", steps)
	}
}

func TestAPluginThatDoesNotStart(t *testing.T) {
	t.Parallel()
	var steps []string
	h, _ := hosted(t, nil, worker{name: "a", steps: &steps}, worker{name: "b", steps: &steps, fails: true}, worker{name: "c", steps: &steps})
	err := h.Start(t.Context())
	if err == nil || err.Error() != "the plugin b does not start: no luck" {
		t.Errorf("got %v", err)
	}
	if want := []string{"start a", "start b", "stop a"}; !slices.Equal(steps, want) {
		t.Errorf("got %v", steps)
	}
}

func TestAPluginThatDoesNotStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var steps []string
		h, _ := hosted(t, nil, worker{name: "a", steps: &steps, hangs: true})
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if h.Stop(); time.Since(began) != 5*time.Second {
			t.Errorf("it took %s", time.Since(began))
		}
		time.Sleep(2 * time.Hour) // it comes back
	})
}
