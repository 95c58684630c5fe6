package plugintest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/game-im/hermod/plugin"
)

// bad is a plugin that does all that it is told to.
type bad struct {
	name func() string
	keys any
	ask  func(plugin.Message) (plugin.Message, error)

	renews func() plugin.Plugin // nil: it returns another one
}

func (b bad) Name() string { return b.name() }

func (b bad) Config() any { return b.keys }

func (b bad) Renew() plugin.Plugin {
	if b.renews != nil {
		return b.renews()
	}
	return b
}

func (b bad) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	return b.ask(m)
}

// TestFaultsAreFound: a suite that finds nothing proves nothing.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for says, ask := range map[string]func(plugin.Message) (plugin.Message, error){
		"only content and metadata": func(m plugin.Message) (plugin.Message, error) { m.UserID = "bob"; return m, nil },
		"made of":                   func(plugin.Message) (plugin.Message, error) { return plugin.Message{}, nil },
		"panic: oh":                 func(plugin.Message) (plugin.Message, error) { panic("oh") },
		"cannot be told":            func(m plugin.Message) (plugin.Message, error) { return m, plugin.Refused("") },
		"disk full":                 func(m plugin.Message) (plugin.Message, error) { return m, errors.New("disk full") },
		"not UTF-8 without NUL": func(m plugin.Message) (plugin.Message, error) {
			m.Metadata = map[string]string{"k": "\x00"}
			return m, nil
		},
		"": func(m plugin.Message) (plugin.Message, error) { m.Content = []byte("fine"); return m, nil },
	} {
		for _, m := range messages(nil) {
			err := intercept(t.Context(), bad{ask: ask}, m)
			if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
				t.Errorf("got %v, want %q", err, says)
			}
		}
	}
}

func TestFaultsOfPluginsAreFound(t *testing.T) {
	t.Parallel()
	steady := func() string { return "steady" }
	calls := ""
	for says, p := range map[string]bad{
		"another value of the plugin": {name: steady, keys: &struct{}{}, renews: func() plugin.Plugin { return nil }},
		`the name is ""`:              {name: func() string { return "" }, keys: &struct{}{}},
		`the name is "A b"`:           {name: func() string { return "A b" }, keys: &struct{}{}},
		"and then":                    {name: func() string { calls += "x"; return calls }, keys: &struct{}{}},
		"no pointer to a struct":      {name: steady, keys: struct{}{}},
		"the field Size has no json":  {name: steady, keys: &struct{ Size int }{}},
		"deep.f is a func()": {name: steady, keys: &struct {
			Deep struct {
				F func() `json:"f"`
			} `json:"deep"`
		}{}},
		"list[] is a chan int": {name: steady, keys: &struct {
			L []chan int `json:"list"`
		}{}},
		"the keys of m are no texts": {name: steady, keys: &struct {
			M map[int]string `json:"m"`
		}{}},
		"": {name: steady, keys: &struct {
			M map[string][]float64 `json:"m"`
		}{}},
	} {
		err := checkPlugin(func() plugin.Plugin { return p })
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func TestFaultsOfActionsAreFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, again []string
		fine         bool
	}{
		{[]string{"a", "b"}, []string{"a", "b"}, true},
		{nil, nil, false},
		{[]string{"a"}, []string{"b"}, false},
		{[]string{"a", "a"}, []string{"a", "a"}, false},
		{[]string{""}, []string{""}, false},
	} {
		if err := checkActions(test.first, test.again); (err == nil) != test.fine {
			t.Errorf("%q, %q: got %v", test.first, test.again, err)
		}
	}
}

// desk is a plugin that observes and answers, with an error that is its own affair.
type desk struct{}

func (desk) ObserveMessage(context.Context, plugin.Message) error { return errors.New("disk full") }

func (desk) ObserveRoom(context.Context, plugin.RoomEvent) error { return errors.New("disk full") }

func (desk) Actions() []string { return []string{"roll"} }

func (desk) HandleAction(_ context.Context, a plugin.Action) (plugin.Answer, error) {
	if len(a.Data) > 0 {
		return plugin.Answer{}, plugin.Refused("no data here")
	}
	return plugin.Answer{Message: "rolled"}, nil
}

func TestWhatIsRightPasses(t *testing.T) {
	t.Parallel()
	MessageObserver(t, desk{}, plugin.Message{Content: []byte("x")})
	RoomObserver(t, desk{})
	ActionHandler(t, desk{}, plugin.Action{Name: "roll", Data: []byte("x")})
}
