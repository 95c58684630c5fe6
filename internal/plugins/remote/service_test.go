package remote_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/sdk/pluginserver"
)

// instance serves a talker that adds a tail to what it is asked about, until stop.
func instance(t *testing.T, tail string) (addr string, stop func()) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	p := &talker{}
	p.keys.Tail = tail
	go func() {
		defer close(done)
		if err := pluginserver.Serve(ctx, lis, p); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return lis.Addr().String(), stop
}

// listed returns the interceptor of a service that is found in a registry, what sends the registry's lists, and what tells whether
// it is the instance with a tail that answers.
func listed(t *testing.T, at ...remote.Address) (list chan<- []remote.Address, says func(want string) func() bool) {
	t.Helper()
	lists := make(chan []remote.Address, 1)
	lists <- at
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	outside, err := remote.Open(ctx, []*conf.Plugin{{Name: "p", Service: &conf.PluginService{Targets: []string{"discovery:///talkers"}}}}, remote.Options{
		Log: slog.New(slog.DiscardHandler),
		Find: func(names []string, found func(string, []remote.Address)) (func(context.Context), error) {
			return func(ctx context.Context) {
				for {
					select {
					case at := <-lists:
						found(names[0], at)
					case <-ctx.Done():
						return
					}
				}
			}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(outside.Close)
	p, ok := plugin.As[plugin.MessageInterceptor](outside.Linked()[0])
	if !ok {
		t.Fatal("it does not intercept")
	}
	return lists, func(want string) func() bool {
		return func() bool {
			m, err := p.InterceptMessage(t.Context(), plugin.Message{Content: []byte("hi")})
			return err == nil && string(m.Content) == want
		}
	}
}

// TestInstancesTakeTurns: of what a registry has one instance is used, and another one when that is lost or
// is listed no more.
func TestInstancesTakeTurns(t *testing.T) {
	t.Parallel()
	one, stopOne := instance(t, "1")
	two, _ := instance(t, "2")
	three, _ := instance(t, "3")
	list, says := listed(t, remote.Address{Address: one})
	await(t, "the only one", says("hi1"))
	list <- []remote.Address{{Address: one}, {Address: two}}
	if !says("hi1")() {
		t.Error("one that works is left")
	}
	stopOne()
	await(t, "the other one", says("hi2"))
	list <- []remote.Address{{Address: three}}
	await(t, "the one that is listed", says("hi3"))
}

// TestEmptyRegistryCutsNothing: a registry that has lost its memory is no reason to leave an instance that answers; one that has another
// instance is.
func TestEmptyRegistryCutsNothing(t *testing.T) {
	t.Parallel()
	one, _ := instance(t, "1")
	two, _ := instance(t, "2")
	list, says := listed(t, remote.Address{Address: one})
	await(t, "the only one", says("hi1"))
	list <- nil
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if !says("hi1")() {
			t.Fatal("the instance was left although nobody knows of another one")
		}
	}
	list <- []remote.Address{{Address: two}}
	await(t, "the one that is listed", says("hi2"))
}

func TestRegistryThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	_, err := remote.Open(t.Context(), []*conf.Plugin{{Name: "p", Service: &conf.PluginService{Targets: []string{"discovery:///talkers"}}}}, remote.Options{
		Log: slog.New(slog.DiscardHandler),
		Find: func([]string, func(string, []remote.Address)) (func(context.Context), error) {
			return nil, errors.New("no registry")
		},
	})
	if err == nil || !strings.Contains(err.Error(), "no registry") {
		t.Errorf("got %v", err)
	}
}

// TestStartIsGivenUp: a node that is told to stop while it waits for a service does.
func TestStartIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	log := &journal{}
	done := make(chan error, 1)
	go func() {
		_, err := remote.Open(ctx, []*conf.Plugin{{Name: "p", Service: &conf.PluginService{Targets: []string{"127.0.0.1:1"}}}}, remote.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
		done <- err
	}()
	await(t, "another try", func() bool { return strings.Count(log.String(), "is tried again") > 1 })
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "the plugin p does not start: it is not ready") {
		t.Errorf("got %v", err)
	}
}
