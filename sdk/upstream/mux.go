package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Mux finds the handler of a request by its action. Its zero value knows no action and answers with
// CodeNotFound. Methods may be called at any time and from any goroutine; fields are set before
// Register.
type Mux struct {
	// Log is told of handlers that panic, and of errors whose text clients do not get to see. nil:
	// slog.Default().
	Log *slog.Logger
	// Health says what is wrong with the service, for GetStatus. nil, or a nil error: nothing is.
	Health func(context.Context) error

	changing sync.Mutex // held while another table is made
	table    atomic.Pointer[table]
	active   atomic.Int32 // requests that are being answered
}

// table is never changed once it is in its mux.
type table struct {
	exact      map[string]Handler
	prefixes   []prefix // the longest first
	middleware []Middleware
	entry      Handler // what the middleware makes of find
}

type prefix struct {
	of      string
	handler Handler
}

// Handle has h answer the requests with an action. An action that ends in * stands for all that begin
// with what is before it; one that stands there in full goes first, then the longest. A single * is
// for what nobody else answers. Upper and lower case are the same, as they are in a login.
//
// It panics when h is nil, or the action empty, or handled already.
func (m *Mux) Handle(action string, h Handler) {
	if action == "" || h == nil {
		panic(fmt.Sprintf("upstream: Handle(%q) needs an action and a handler", action))
	}
	name, all := strings.CutSuffix(strings.ToLower(action), "*")
	m.change(func(t *table) {
		_, taken := t.exact[name]
		if all {
			taken = slices.ContainsFunc(t.prefixes, func(p prefix) bool { return p.of == name })
		}
		if taken {
			panic(fmt.Sprintf("upstream: the action %q has a handler already", action))
		}
		if all {
			t.prefixes = append(t.prefixes, prefix{name, h})
			slices.SortStableFunc(t.prefixes, func(a, b prefix) int { return len(b.of) - len(a.of) })
			return
		}
		t.exact[name] = h
	})
}

// Use wraps every request, also those that nobody answers, in middleware: the first one is the outermost,
// and what an earlier call has named is around what a later one does. It sees panics of handlers as errors.
func (m *Mux) Use(middleware ...Middleware) {
	m.change(func(t *table) { t.middleware = append(t.middleware, middleware...) })
}

// Serve answers a request by the handler of its action. It is itself a Handler, so that a mux can be
// part of another one, or called in a test. Its errors are those that handlers return.
func (m *Mux) Serve(ctx context.Context, r *Request) (*Response, error) {
	t := m.table.Load()
	if t == nil {
		return unknownAction(ctx, r)
	}
	return t.entry(ctx, r)
}

// change replaces the table by a changed copy.
func (m *Mux) change(how func(*table)) {
	m.changing.Lock()
	defer m.changing.Unlock()
	t := &table{exact: map[string]Handler{}}
	if old := m.table.Load(); old != nil {
		t.exact, t.prefixes, t.middleware = maps.Clone(old.exact), slices.Clone(old.prefixes), slices.Clone(old.middleware)
	}
	how(t)
	t.entry = m.contain(t.find)
	for _, wrap := range slices.Backward(t.middleware) {
		t.entry = wrap(t.entry)
	}
	if len(t.middleware) > 0 {
		t.entry = m.contain(t.entry)
	}
	m.table.Store(t)
}

func (t *table) find(ctx context.Context, r *Request) (*Response, error) {
	action := strings.ToLower(r.Action)
	if h, ok := t.exact[action]; ok {
		return h(ctx, r)
	}
	for _, p := range t.prefixes {
		if strings.HasPrefix(action, p.of) {
			return p.handler(ctx, r)
		}
	}
	return unknownAction(ctx, r)
}

func unknownAction(_ context.Context, r *Request) (*Response, error) {
	return nil, Errorf(CodeNotFound, "there is no action %q", r.Action)
}

// contain makes an error of a panic.
func (m *Mux) contain(h Handler) Handler {
	return func(ctx context.Context, r *Request) (resp *Response, err error) {
		defer func() {
			if p := recover(); p != nil {
				m.log().Error("a handler panicked", "action", r.Action, "session", r.Session, "panic", p, "stack", string(debug.Stack()))
				resp, err = nil, errInternal
			}
		}()
		return h(ctx, r)
	}
}

func (m *Mux) log() *slog.Logger {
	if m.Log != nil {
		return m.Log
	}
	return slog.Default()
}
