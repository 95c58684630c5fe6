package client

import (
	"context"
	"errors"
	"testing"

	"github.com/game-im/hermod/sdk/discovery"
)

// found is a discovery that answers from a script.
type found struct {
	discovery.ServiceDiscovery // not called
	services                   []*discovery.ServiceInfo
	err                        error
}

func (f *found) Discover(_ context.Context, name string) ([]*discovery.ServiceInfo, error) {
	if name != "im-service" {
		return nil, errors.New("asked for " + name)
	}
	return f.services, f.err
}

func instances(ports ...int) []*discovery.ServiceInfo {
	var l []*discovery.ServiceInfo
	for _, p := range ports {
		l = append(l, &discovery.ServiceInfo{Address: "127.0.0.1", Port: p})
	}
	return l
}

// take returns the target of the next endpoint and gives it back with failure.
func take(t *testing.T, d *dialer, failure error) string {
	t.Helper()
	ep, err := d.endpoint(t.Context())
	if err != nil {
		t.Fatalf("endpoint: %v", err)
	}
	ep.release(failure)
	return ep.name
}

func dialerOf(cfg Config) *dialer {
	cfg = cfg.withDefaults()
	return newDialer(&cfg)
}

func TestDialerSkipsWhatJustFailed(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	d := dialerOf(Config{Services: instances(1, 2), LoadBalancer: stubborn{}})
	if got := take(t, d, lost); got != "127.0.0.1:1" {
		t.Errorf("first %s", got)
	}
	if got := take(t, d, nil); got != "127.0.0.1:1" { // it names no other, so there is no choice
		t.Errorf("second %s", got)
	}

	d = dialerOf(Config{Services: instances(1, 2, 3)})
	one := take(t, d, nil)
	two := take(t, d, lost)
	take(t, d, nil)
	take(t, d, nil)
	if got := take(t, d, nil); got == two || one == two {
		t.Errorf("%s was tried again although it just failed", got)
	}

	// Asked again, it would name the same one: it has to be told.
	d = dialerOf(Config{Services: instances(1, 2), LoadBalancer: discovery.NewConsistentHashBalancer()})
	home := take(t, d, lost)
	if got := take(t, d, nil); got == home {
		t.Errorf("consistent hash names %s again although it just failed", got)
	}
}

// stubborn always chooses the first.
type stubborn struct{}

func (stubborn) Select(s []*discovery.ServiceInfo) (*discovery.ServiceInfo, error) { return s[0], nil }
func (stubborn) Update([]*discovery.ServiceInfo)                                   {}

// nothing chooses nothing and says nothing.
type nothing struct{ stubborn }

func (nothing) Select([]*discovery.ServiceInfo) (*discovery.ServiceInfo, error) { return nil, nil }

func TestDialerSources(t *testing.T) {
	t.Parallel()
	updated := discovery.NewRoundRobinBalancer()
	updated.Update(instances(7))
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"Services", Config{Services: instances(5)}, "127.0.0.1:5"},
		{"a balancer that was updated", Config{LoadBalancer: updated}, "127.0.0.1:7"},
		{"discovery wins", Config{Services: instances(5), Discovery: &found{services: instances(6)}}, "127.0.0.1:6"},
		{"discovery out of order", Config{Services: instances(5), Discovery: &found{err: errors.New("down")}}, "127.0.0.1:5"},
		{"IPv6", Config{Services: []*discovery.ServiceInfo{{Address: "::1", Port: 5}}}, "[::1]:5"},
		{"no port", Config{Services: []*discovery.ServiceInfo{{Address: "dns:///im"}}}, "dns:///im"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := take(t, dialerOf(tt.cfg), nil); got != tt.want {
				t.Errorf("dials %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDialerWithNowhereToGo(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	tests := []struct {
		name string
		cfg  Config
		want error
	}{
		{"nothing set", Config{}, discovery.ErrNoService},
		{"nothing found", Config{Discovery: &found{}}, discovery.ErrNoService},
		{"discovery down", Config{Discovery: &found{err: down}}, down},
		{"a balancer without an answer", Config{Services: instances(1), LoadBalancer: nothing{}}, discovery.ErrNoService},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := dialerOf(tt.cfg).endpoint(t.Context()); !errors.Is(err, tt.want) {
				t.Errorf("endpoint: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestSetServices(t *testing.T) {
	t.Parallel()
	c, err := NewClient(&Config{UserID: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	c.SetServices(instances(9))
	if got := take(t, c.source.(*dialer), nil); got != "127.0.0.1:9" {
		t.Errorf("dials %s", got)
	}
}
