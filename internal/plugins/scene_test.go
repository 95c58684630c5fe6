package plugins_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// interceptor is a plugin made of a function.
type interceptor struct {
	name string
	ask  func(context.Context, plugin.Message) (plugin.Message, error)
}

func (i interceptor) Name() string { return i.name }

func (i interceptor) InterceptMessage(ctx context.Context, m plugin.Message) (plugin.Message, error) {
	return i.ask(ctx, m)
}

func pass(_ context.Context, m plugin.Message) (plugin.Message, error) { return m, nil }

// tail is a plugin that adds its text to what is said.
func tail(text string) interceptor {
	return interceptor{text, func(_ context.Context, m plugin.Message) (plugin.Message, error) {
		m.Content = append(m.Content, text...)
		return m, nil
	}}
}

// usual is the deadline of a plugin whose configuration names none: half a second.
var usual = &durationpb.Duration{}

// hosted returns a host of the plugins, with the settings of each, and its meters.
// A deadline that they do not name is long; [usual] is what a configuration without one has.
func hosted(t testing.TB, settings *conf.Plugin, linked ...plugin.Plugin) (*plugins.Host, *plugins.Metrics) {
	t.Helper()
	var c []*conf.Plugin
	for _, p := range linked {
		one := &conf.Plugin{Name: p.Name()}
		if settings != nil {
			one = &conf.Plugin{
				Name: p.Name(), Deadline: settings.Deadline, OnFailure: settings.OnFailure, Concurrency: settings.Concurrency,
				Queue: settings.Queue, Failures: settings.Failures, RetryAfter: settings.RetryAfter, Sample: settings.Sample, Rooms: settings.Rooms,
			}
		}
		if one.Deadline == nil {
			one.Deadline = durationpb.New(time.Minute) // the machine may be busy
		}
		c = append(c, one)
	}
	m := plugins.NewMetrics()
	h, err := plugins.New(c, linked, m, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	return h, m
}

// sent is a message on its way past interceptors.
type sent struct {
	draft *biz.Draft
	at    time.Time
	took  time.Duration
	err   error
	done  chan struct{}
}

func fits(p biz.Payload) error {
	if len(p.Content) > 100 {
		return biz.Errorf(biz.KindInvalid, "CONTENT_TOO_LARGE", "too large")
	}
	return nil
}

// send has the host decide about a message.
func send(h *plugins.Host, user, text string) *sent {
	s := &sent{at: time.Now(), done: make(chan struct{}), draft: &biz.Draft{Message: biz.Message{
		Room: "r", Sender: biz.UserID(user), Type: biz.TypeText, Content: []byte(text),
	}}}
	h.Interceptor().Intercept(s.draft, biz.Speaker{By: biz.Identity{User: s.draft.Sender}}, fits, func(err error) {
		s.took, s.err = time.Since(s.at), err
		close(s.done)
	})
	return s
}

// outcome waits for the verdict: the text as it is to be stored, or the reason of the refusal.
func (s *sent) outcome() string {
	<-s.done
	if s.err != nil {
		return biz.AsError(s.err).Reason
	}
	return string(s.draft.Content)
}

// value is what a metric says that has these label values, whatever their names; -1: it is not there.
func value(t *testing.T, m *plugins.Metrics, family string, labels ...string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(m.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != family {
			continue
		}
		for _, one := range f.GetMetric() {
			if has(one, labels) {
				return one.GetCounter().GetValue() + one.GetGauge().GetValue()
			}
		}
	}
	return -1
}

func has(m *dto.Metric, labels []string) bool {
	for _, want := range labels {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetValue() == want
		}
		if !found {
			return false
		}
	}
	return true
}

// live is a Deliverer that notes what it is given.
type live struct {
	mu    sync.Mutex
	given []string
}

func (l *live) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given = append(l.given, fmt.Sprintf(format, args...))
}

func (l *live) Deliver(d *biz.Draft) { l.note("deliver %d", d.Seq) }

func (l *live) DeliverAll(ds []*biz.Draft) {
	for _, d := range ds {
		l.Deliver(d)
	}
}

func (l *live) Sequence(d *biz.Draft, done func(error)) {
	l.note("sequence %s", d.Content)
	if strings.HasPrefix(string(d.Content), "lost") {
		done(biz.Errorf(biz.KindUnavailable, "UNAVAILABLE", "not taken"))
		return
	}
	done(nil)
}

func (l *live) Joined(j biz.JoinResult) { l.note("joined %s", j.Member.User) }

func (l *live) Left(_ biz.RoomID, user biz.UserID) { l.note("left %s", user) }

func (l *live) Ended(last *biz.Message) { l.note("ended %s", last.Room) }
func (l *live) Dismiss(user biz.UserID, last *biz.Message) {
	l.note("dismissed %s from %s", user, last.Room)
}
func (l *live) Tell(user biz.UserID, _ *biz.Message) { l.note("told %s", user) }
