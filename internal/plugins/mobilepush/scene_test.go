package mobilepush_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/plugins/mobilepush"
	"github.com/game-im/hermod/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a plugin with all that it talks to.
type scene struct {
	*mobilepush.Push
	t      *testing.T
	google *google
	apple  *apple
	team   *team
	logs   *logs
	stop   func() error
}

// logs is what a plugin logs.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// play starts a plugin with both providers. Bob has an Android phone and an iPhone.
func play(t *testing.T, set ...func(*mobilepush.Config)) *scene {
	t.Helper()
	s := &scene{t: t, google: startGoogle(t), apple: startApple(t), team: startTeam(t), logs: &logs{}}
	s.team.has("bob", android("fcm-bob"), iphone("0b0b"))
	s.Push = s.fresh(set...)
	ctx := plugin.WithLogger(t.Context(), slog.New(slog.NewTextHandler(s.logs, nil)))
	if err := errors.Join(s.Validate(), s.Start(ctx)); err != nil {
		t.Fatal(err)
	}
	s.stop = sync.OnceValue(func() error { return s.Stop(context.Background()) })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		for _, secret := range []string{"fcm-bob", "0b0b", devicesToken, "access-"} {
			if strings.Contains(s.logs.String(), secret) {
				t.Errorf("the log has %s:\n%s", secret, s.logs)
			}
		}
	})
	return s
}

// fresh returns a plugin that is configured and has not started.
func (s *scene) fresh(set ...func(*mobilepush.Config)) *mobilepush.Push {
	p := mobilepush.New()
	s.configure(p, set...)
	return p
}

func (s *scene) configure(p *mobilepush.Push, set ...func(*mobilepush.Config)) {
	c := p.Config().(*mobilepush.Config)
	c.Devices.URL, c.Devices.Token = s.team.server.URL+"/devices", devicesToken
	c.FCM.ServiceAccountFile, c.FCM.URL, c.FCM.TokenURL = s.google.file(), s.google.server.URL, s.google.server.URL+"/token"
	c.APNs.KeyFile, c.APNs.KeyID, c.APNs.TeamID, c.APNs.Topic = s.apple.file(), keyID, teamID, topic
	c.APNs.URL, c.APNs.SandboxURL, c.APNs.CAFile = s.apple.server.URL, s.apple.server.URL, s.apple.ca
	c.Devices.Timeout, c.RequestTimeout = patience, patience // a loaded machine is no fault
	for _, fn := range set {
		fn(c)
	}
}

// said is a message for users who are away.
func said(id string, users ...string) plugin.Notification {
	at := time.Unix(1_800_000_000, 0)
	return plugin.Notification{Users: users, Time: at, Message: &plugin.Message{
		ID: id, RoomID: "hall", Seq: 7, UserID: "ann", Type: plugin.Text, Content: []byte("a secret"), Metadata: map[string]string{"k": "v"}, Time: at,
	}}
}

// tell notifies within a deadline, as a node does.
func (s *scene) tell(n plugin.Notification) error { return s.tellWithin(patience, n) }

func (s *scene) tellWithin(d time.Duration, n plugin.Notification) error {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	return s.NotifyOffline(ctx, n)
}

func (s *scene) mustTell(n plugin.Notification) {
	s.t.Helper()
	if err := s.tell(n); err != nil {
		s.t.Fatal(err)
	}
}

// unavailable returns the error as what it must be.
func (s *scene) unavailable(err error) *plugin.Error {
	s.t.Helper()
	e, ok := errors.AsType[*plugin.Error](err)
	if !ok || e.Kind != plugin.KindUnavailable {
		s.t.Fatalf("the error is %v; want one of Unavailable", err)
	}
	return e
}

// value returns a counter of the plugin's, by the values of its labels in their order.
func (s *scene) value(name string, labels ...string) float64 {
	s.t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(s.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			matches := f.GetName() == "hermod_mobile_push_"+name && len(m.GetLabel()) == len(labels)
			for i, l := range m.GetLabel() { // sorted by name
				matches = matches && l.GetValue() == labels[i]
			}
			if matches {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// outcomes fails unless so many notifications ended like that.
func (s *scene) outcomes(provider, outcome string, want float64) {
	s.t.Helper()
	if got := s.value("notifications_total", outcome, provider); got != want {
		s.t.Errorf("%v notifications by %s are %s; want %v", got, provider, outcome, want)
	}
}

func await[T any](t *testing.T, ch <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-ch:
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return got
}
