package plugins_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

// tagger is a plugin that takes new keys: it adds its tag to what is said, and notes whom it has served.
type tagger struct {
	keys struct {
		Tag   string        `json:"tag"`
		Start time.Duration `json:"start"` // how long that takes, whatever its context says
		Fails bool          `json:"fails"` // to start
	}
	family           *family
	started, stopped atomic.Bool
	served, observed atomic.Int64
}

// family is all values of a tagger.
type family struct {
	mu      sync.Mutex
	all     []*tagger
	blocked chan struct{} // what a message that says "hang" waits for
	wrong   atomic.Int64  // calls of a value that has not started, or has stopped
}

func (f *family) fresh() *tagger {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &tagger{family: f}
	f.all = append(f.all, t)
	return t
}

func (*tagger) Name() string           { return "tagger" }
func (t *tagger) Config() any          { return &t.keys }
func (t *tagger) Renew() plugin.Plugin { return t.family.fresh() }

func (t *tagger) Validate() error {
	if t.keys.Tag == "" {
		return errors.New("tag is empty; a text is allowed")
	}
	return nil
}

func (t *tagger) Start(context.Context) error {
	time.Sleep(t.keys.Start)
	if t.keys.Fails {
		return errors.New("no luck")
	}
	t.started.Store(true)
	return nil
}

func (t *tagger) Stop(context.Context) error {
	if t.stopped.Swap(true) {
		return errors.New("stopped twice")
	}
	return nil
}

func (t *tagger) serve(n *atomic.Int64) {
	n.Add(1)
	if !t.started.Load() || t.stopped.Load() {
		t.family.wrong.Add(1)
	}
}

func (t *tagger) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	t.serve(&t.served)
	if string(m.Content) == "hang" {
		<-t.family.blocked
		return m, nil
	}
	m.Content = append(m.Content, t.keys.Tag...)
	t.serve(new(atomic.Int64)) // it has not been stopped meanwhile
	return m, nil
}

func (t *tagger) ObserveMessage(context.Context, plugin.Message) error {
	t.serve(&t.observed)
	return nil
}

// swapScene is a host with a tagger that has started.
type swapScene struct {
	*plugins.Host
	*family
	meters *plugins.Metrics
	log    *bytes.Buffer
}

func tagged(t *testing.T, bounds *conf.Plugin) *swapScene {
	t.Helper()
	s := &swapScene{family: &family{blocked: make(chan struct{})}, meters: plugins.NewMetrics(), log: &bytes.Buffer{}}
	bounds.Name, bounds.Config = "tagger", keysOf(t, map[string]any{"tag": "-0"})
	var err error
	s.Host, err = plugins.New([]*conf.Plugin{bounds}, []plugin.Plugin{s.fresh()}, s.meters, slog.New(slog.NewTextHandler(s.log, nil)))
	if err == nil {
		err = s.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func keysOf(t *testing.T, keys map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reconfigured has the keys of the tagger change.
func (s *swapScene) reconfigured(t *testing.T, bounds *conf.Plugin, keys map[string]any) {
	t.Helper()
	bounds.Name, bounds.Config = "tagger", keysOf(t, keys)
	s.Reconfigure(t.Context(), []*conf.Plugin{bounds})
}

// TestMessagesUnderWayWhileTheConfigurationChanges: of ten thousand none fails while it does fifty times, each is seen by
// one value, from its start until it is stopped, and the old ones are stopped.
func TestMessagesUnderWayWhileTheConfigurationChanges(t *testing.T) {
	t.Parallel()
	const senders, each, changes = 50, 200, 50
	patient := func() *conf.Plugin { return &conf.Plugin{Deadline: durationpb.New(time.Minute), Queue: 100_000} }
	s := tagged(t, patient())
	observed := s.Observe(&live{})
	answered := make(chan struct{}, senders*each)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for k := range each {
				one := send(s.Host, fmt.Sprint("user-", i), "hi")
				if got := one.outcome(); !strings.HasPrefix(got, "hi-") || strings.Count(got, "-") != 1 {
					t.Errorf("got %q", got)
				}
				observed.Deliver(said(int64(k)))
				answered <- struct{}{}
			}
		})
	}
	for n := range changes {
		for range senders * each / (changes + 1) {
			<-answered
		}
		s.reconfigured(t, patient(), map[string]any{"tag": fmt.Sprint("-", n+1)})
	}
	all.Wait()
	s.Stop()
	var served, told int64
	for _, one := range s.all {
		served, told = served+one.served.Load(), told+one.observed.Load()
		if !one.started.Load() || !one.stopped.Load() {
			t.Errorf("%s was started: %v, and stopped: %v", one.keys.Tag, one.started.Load(), one.stopped.Load())
		}
	}
	if len(s.all) != changes+1 || served != senders*each || told != senders*each || s.wrong.Load() != 0 {
		t.Errorf("%d values were asked about %d messages and told of %d; %d times one that did not serve", len(s.all), served, told, s.wrong.Load())
	}
	if n := value(t, s.meters, "hermod_plugin_changes_total", "tagger", "applied"); n != changes {
		t.Errorf("%v changes are counted", n)
	}
}

// TestAValueThatHangsIsReplaced: nobody waits for it, and it is stopped when its call was given up.
func TestAValueThatHangsIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := tagged(t, &conf.Plugin{Concurrency: 1})
		hung := send(s.Host, "mallory", "hang")
		synctest.Wait()
		waits := send(s.Host, "bob", "hi") // for the place
		synctest.Wait()
		s.reconfigured(t, &conf.Plugin{Concurrency: 1}, map[string]any{"tag": "-1"})
		if got := waits.outcome(); got != "hi-1" || waits.took >= 500*time.Millisecond {
			t.Errorf("who waited got %q after %s", got, waits.took)
		}
		if got := send(s.Host, "alice", "hi").outcome(); got != "hi-1" || s.all[0].stopped.Load() {
			t.Errorf("got %q; the old value is stopped: %v", got, s.all[0].stopped.Load())
		}
		if got := hung.outcome(); got != "PLUGIN_UNAVAILABLE" || hung.took != 500*time.Millisecond {
			t.Errorf("what hangs got %q after %s", got, hung.took)
		}
		time.Sleep(time.Second)
		if !s.all[0].stopped.Load() || s.all[1].stopped.Load() {
			t.Error("the old value is not stopped, or the new one is")
		}
		close(s.blocked)
	})
}

// TestAValueThatIsNoGoodLeavesTheOldOne: it goes on, log and metrics say why, and asking again tries again.
func TestAValueThatIsNoGoodLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	for outcome, test := range map[string]struct {
		keys map[string]any
		says string
	}{
		"refused": {map[string]any{"tga": "-1"}, "plugins[0].config.tga: no such key; allowed here: fails, start, tag"},
		"failed":  {map[string]any{"tag": "-1", "fails": true}, "plugins[0].config: with these keys it does not start: no luck"},
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			s := tagged(t, &conf.Plugin{})
			s.reconfigured(t, &conf.Plugin{}, test.keys)
			s.reconfigured(t, &conf.Plugin{}, test.keys)
			if got := send(s.Host, "alice", "hi").outcome(); got != "hi-0" {
				t.Errorf("got %q", got)
			}
			if !strings.Contains(s.log.String(), test.says) || !strings.Contains(s.log.String(), "plugin=tagger") {
				t.Errorf("the log says\n%s", s.log)
			}
			if value(t, s.meters, "hermod_plugin_changes_total", outcome) != 2 || value(t, s.meters, "hermod_plugin_outdated", "tagger") != 1 {
				t.Error("the metrics do not tell")
			}
			s.reconfigured(t, &conf.Plugin{}, map[string]any{"tag": "-2"})
			if got := send(s.Host, "alice", "hi").outcome(); got != "hi-2" || value(t, s.meters, "hermod_plugin_outdated", "tagger") != 0 {
				t.Errorf("got %q with keys that are right", got)
			}
		})
	}
}

// TestAValueThatStartsTooLate is stopped when it has, and the old one goes on.
func TestAValueThatStartsTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := tagged(t, &conf.Plugin{})
		began := time.Now()
		s.reconfigured(t, &conf.Plugin{}, map[string]any{"tag": "-1", "start": "1m"})
		if took := time.Since(began); took != 30*time.Second || send(s.Host, "alice", "hi").outcome() != "hi-0" {
			t.Errorf("it took %s", took)
		}
		time.Sleep(time.Minute)
		if late := s.all[1]; !late.started.Load() || !late.stopped.Load() {
			t.Error("it is not stopped")
		}
	})
}

// TestBoundsChangeWhileANodeRuns, without another value of the plugin.
func TestBoundsChangeWhileANodeRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := tagged(t, &conf.Plugin{Deadline: durationpb.New(time.Second), Failures: 1})
		hung := send(s.Host, "mallory", "hang")
		if got := hung.outcome(); got != "PLUGIN_UNAVAILABLE" || hung.took != time.Second || value(t, s.meters, "hermod_plugin_left_alone", "tagger") != 1 {
			t.Errorf("got %q after %s", got, hung.took)
		}
		s.reconfigured(t, &conf.Plugin{Deadline: durationpb.New(2 * time.Second), OnFailure: conf.OnFailureOpen}, map[string]any{"tag": "-0"})
		if value(t, s.meters, "hermod_plugin_left_alone", "tagger") != 0 {
			t.Error("it begins anew, and is left alone")
		}
		hung = send(s.Host, "mallory", "hang")
		if got := hung.outcome(); got != "hang" || hung.took != 2*time.Second {
			t.Errorf("got %q after %s", got, hung.took)
		}
		if got := send(s.Host, "alice", "hi").outcome(); got != "hi-0" || len(s.all) != 1 || s.all[0].stopped.Load() {
			t.Errorf("got %q, of %d values", got, len(s.all))
		}
		close(s.blocked)
	})
}

// TestWhoTakesNewKeys: what the node is made of does not, nor what has no fresh value.
func TestWhoTakesNewKeys(t *testing.T) {
	t.Parallel()
	f := &family{}
	h, _ := hosted(t, nil, interceptor{"pass", pass}, f.freshNamed("lent"))
	_ = plugins.With[plugin.MessageObserver](h)
	if h.Swaps("pass") || h.Swaps("lent") || h.Swaps("unknown") {
		t.Error("one of them takes new keys")
	}
	s := tagged(t, &conf.Plugin{})
	if !s.Swaps("tagger") {
		t.Error("the tagger takes none")
	}
	c := &conf.Plugin{Name: "tagger", Config: keysOf(t, map[string]any{"tag": "-0"})}
	chosen, err := plugins.New([]*conf.Plugin{c}, []plugin.Plugin{f.fresh()}, plugins.NewMetrics(), slog.New(slog.DiscardHandler), "tagger")
	if err != nil || chosen.Swaps("tagger") {
		t.Errorf("one that another key has chosen takes new keys, %v", err)
	}
}

// counter is a tagger that counts.
type counter struct {
	*tagger
	calls prometheus.Counter
}

func (c counter) Validate() error                    { return nil }
func (c counter) Renew() plugin.Plugin               { return counter{c.family.fresh(), c.calls} }
func (c counter) Collectors() []prometheus.Collector { return []prometheus.Collector{c.calls} }

// TestInstrumentsOfAPluginDoNotKeepIt: one whose instruments are served takes new keys all the same.
func TestInstrumentsOfAPluginDoNotKeepIt(t *testing.T) {
	t.Parallel()
	calls := prometheus.NewCounter(prometheus.CounterOpts{Name: "calls"})
	h, _ := hosted(t, nil, interceptor{"pass", pass}, counter{(&family{}).fresh(), calls})
	if got := h.Collectors(); len(got) != 1 || got[0] != prometheus.Collector(calls) {
		t.Errorf("its instruments are %v", got)
	}
	if !h.Swaps("tagger") {
		t.Error("it takes no new keys any more")
	}
}

// otherName is a tagger of another name.
type otherName struct {
	*tagger
	name string
}

func (o otherName) Name() string  { return o.name }
func (otherName) Validate() error { return nil }

func (f *family) freshNamed(name string) plugin.Plugin { return otherName{f.fresh(), name} }
