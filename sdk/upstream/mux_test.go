package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/game-im/hermod/sdk/upstream"
)

// says is a handler that answers with a text.
func says(text string) upstream.Handler {
	return func(context.Context, *upstream.Request) (*upstream.Response, error) {
		return &upstream.Response{Message: text}, nil
	}
}

func quiet() *upstream.Mux { return &upstream.Mux{Log: slog.New(slog.DiscardHandler)} }

func TestMuxFindsHandlers(t *testing.T) {
	t.Parallel()
	m := quiet()
	for _, action := range []string{"mail.*", "mail", "mail.read", "mail.draft.*", "Shop"} {
		m.Handle(action, says(action))
	}
	for action, want := range map[string]string{
		"mail": "mail", "mail.": "mail.*", "mail.send": "mail.*", "mail.read": "mail.read", "mail.reads": "mail.*",
		"mail.draft.": "mail.draft.*", "mail.draft.new": "mail.draft.*", "mail.draft": "mail.*",
		"shop": "Shop", "SHOP": "Shop", "MAIL.Send": "mail.*",
	} {
		if resp, err := m.Serve(t.Context(), &upstream.Request{Action: action}); err != nil || resp.Message != want {
			t.Errorf("%s: %v, %v; want %s", action, resp, err, want)
		}
	}
	for _, m := range []*upstream.Mux{m, quiet()} {
		for _, action := range []string{"", "mai", "shop.", " mail"} {
			_, err := m.Serve(t.Context(), &upstream.Request{Action: action})
			if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Code != 404 || !strings.Contains(e.Message, fmt.Sprintf("%q", action)) {
				t.Errorf("%q: %v, want 404 and the action", action, err)
			}
		}
	}
	outer := quiet()
	outer.Handle("*", m.Serve)
	outer.Handle("mail", says("outer"))
	for action, want := range map[string]string{"mail": "outer", "shop": "Shop"} {
		if resp, err := outer.Serve(t.Context(), &upstream.Request{Action: action}); err != nil || resp.Message != want {
			t.Errorf("a mux in another one, %s: %v, %v; want %s", action, resp, err, want)
		}
	}
}

func TestMuxRefusesMistakes(t *testing.T) {
	t.Parallel()
	m := quiet()
	m.Handle("mail", says(""))
	m.Handle("mail*", says(""))
	for name, wrong := range map[string]func(){
		"an action twice":           func() { m.Handle("MAIL", says("")) },
		"a beginning twice":         func() { m.Handle("mail*", says("")) },
		"no action":                 func() { m.Handle("", says("")) },
		"no handler for the action": func() { m.Handle("new", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is taken", name)
				}
			}()
			wrong()
		}()
	}
	if resp, err := m.Serve(t.Context(), &upstream.Request{Action: "mail"}); err != nil || resp == nil {
		t.Errorf("after that: %v, %v", resp, err)
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	m := quiet()
	var trace []string
	traced := func(name string) upstream.Middleware {
		return func(next upstream.Handler) upstream.Handler {
			return func(ctx context.Context, r *upstream.Request) (*upstream.Response, error) {
				trace = append(trace, name)
				resp, err := next(ctx, r)
				trace = append(trace, fmt.Sprint(name, " ", err != nil))
				return resp, err
			}
		}
	}
	m.Handle("ok", says("ok"))
	m.Use(traced("a"), traced("b"))
	m.Handle("panic", func(context.Context, *upstream.Request) (*upstream.Response, error) { panic("at once") })
	m.Use(traced("c"))
	for action, want := range map[string]string{
		"ok":      "a b c c false b false a false",
		"panic":   "a b c c true b true a true",
		"unknown": "a b c c true b true a true",
	} {
		trace = nil
		_, err := m.Serve(t.Context(), &upstream.Request{Action: action})
		if got := strings.Join(trace, " "); got != want || (err == nil) != (action == "ok") {
			t.Errorf("%s: %s, %v; want %s", action, got, err, want)
		}
	}
	m.Use(func(upstream.Handler) upstream.Handler {
		return func(context.Context, *upstream.Request) (*upstream.Response, error) { panic("in middleware") }
	})
	if _, err := m.Serve(t.Context(), &upstream.Request{Action: "ok"}); err == nil {
		t.Error("a panic in middleware is no error")
	}
}

// TestMuxChangesWhileItServes: actions that come do not disturb those that are there.
func TestMuxChangesWhileItServes(t *testing.T) {
	t.Parallel()
	m := quiet()
	m.Handle("here", says("here"))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				m.Handle(fmt.Sprint("new", i, ".", j, "*"), says(""))
				m.Handle(fmt.Sprint("new", i, ".", j), says(""))
			}
		})
		wg.Go(func() {
			for range 500 {
				if resp, err := m.Serve(t.Context(), &upstream.Request{Action: "here"}); err != nil || resp.Message != "here" {
					t.Errorf("%v, %v", resp, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		for j := range 50 {
			if _, err := m.Serve(t.Context(), &upstream.Request{Action: fmt.Sprint("new", i, ".", j)}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestJSONHandlers(t *testing.T) {
	t.Parallel()
	type sum struct{ A, B int }
	m := quiet()
	m.Handle("add", upstream.JSON(func(_ context.Context, r *upstream.Request, in sum) (map[string]int, error) {
		if in.A < 0 {
			return nil, upstream.Errorf(422, "%s is not for negative numbers", r.Action)
		}
		return map[string]int{"sum": in.A + in.B}, nil
	}))
	m.Handle("any", upstream.JSON(func(context.Context, *upstream.Request, struct{}) (int, error) { return 7, nil }))
	if resp, err := m.Serve(t.Context(), &upstream.Request{Action: "any", Data: []byte("no JSON")}); err != nil || string(resp.Data) != "7" {
		t.Errorf("data that nobody asked for: %v, %v", resp, err)
	}
	m.Handle("nonsense", upstream.JSON(func(context.Context, *upstream.Request, sum) (io.Writer, error) {
		return struct {
			io.Writer
			C chan int
		}{C: make(chan int)}, nil
	}))
	for data, want := range map[string]string{`{"A":1,"B":2}`: `{"sum":3}`, "": `{"sum":0}`} {
		if resp, err := m.Serve(t.Context(), &upstream.Request{Action: "add", Data: []byte(data)}); err != nil || string(resp.Data) != want {
			t.Errorf("%s: %v, %v", data, resp, err)
		}
	}
	for data, want := range map[string]int32{`{"A":`: 400, `{"A":"1"}`: 400, `{"A":-1}`: 422} {
		_, err := m.Serve(t.Context(), &upstream.Request{Action: "add", Data: []byte(data)})
		if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Code != want || !strings.Contains(e.Message, "add") {
			t.Errorf("%s: %v, want %d", data, err, want)
		}
	}
	if _, err := m.Serve(t.Context(), &upstream.Request{Action: "nonsense"}); err == nil {
		t.Error("an answer that is no JSON was written")
	}
}
