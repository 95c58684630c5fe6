package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/plugin"
)

// Every call is made by as many goroutines at once, each of them more than once.
const (
	goroutines = 8
	rounds     = 4
	// patience is how long a call may take whose context is done, or that has nothing to wait for.
	patience = 10 * time.Second
)

// MessageInterceptor checks an interceptor that is ready, with the messages given and with some that
// any must stand: empty and large ones, and what is no text. Whether it decides rightly is for other
// tests to tell.
func MessageInterceptor(t *testing.T, p plugin.MessageInterceptor, also ...plugin.Message) {
	t.Helper()
	everywhere(t, messages(also), func(ctx context.Context, m plugin.Message) error { return intercept(ctx, p, m) })
}

// MessageObserver checks an observer of messages that is ready, in the same way.
func MessageObserver(t *testing.T, p plugin.MessageObserver, also ...plugin.Message) {
	t.Helper()
	told := messages(also)
	for i := range told {
		told[i].ID, told[i].Seq, told[i].Time = fmt.Sprint("m", i), int64(i+1), time.Unix(1e9, 0)
	}
	everywhere(t, told, func(ctx context.Context, m plugin.Message) error {
		m.Content, m.Metadata = slices.Clone(m.Content), maps.Clone(m.Metadata)
		return onlyPanic(called(func() error { return p.ObserveMessage(ctx, m) }))
	})
}

// RoomObserver checks an observer of rooms that is ready. It is told of a kind that does not exist too.
func RoomObserver(t *testing.T, p plugin.RoomObserver) {
	t.Helper()
	events := []plugin.RoomEvent{
		{Kind: plugin.Joined, RoomID: "r", UserID: "alice", Nickname: "Al", Role: "admin", Time: time.Unix(1e9, 0)},
		{Kind: plugin.Left, RoomID: "r", UserID: "alice", Time: time.Unix(1e9, 0)},
		{Kind: 99, RoomID: "r", UserID: "alice", Time: time.Unix(1e9, 0)},
	}
	everywhere(t, events, func(ctx context.Context, e plugin.RoomEvent) error {
		return onlyPanic(called(func() error { return p.ObserveRoom(ctx, e) }))
	})
}

// ActionHandler checks a handler that is ready, with the requests given and with bare ones of all its
// actions.
func ActionHandler(t *testing.T, p plugin.ActionHandler, also ...plugin.Action) {
	t.Helper()
	if err := checkActions(p.Actions(), p.Actions()); err != nil {
		t.Error(err)
	}
	for _, name := range p.Actions() {
		also = append(also, plugin.Action{Name: name, SessionID: "s", UserID: "alice"}, plugin.Action{Name: name, Data: []byte{0xff, 0}})
	}
	everywhere(t, also, func(ctx context.Context, a plugin.Action) error {
		return answered(called(func() error {
			_, err := p.HandleAction(ctx, a)
			return err
		}))
	})
}

func checkActions(first, again []string) error {
	if len(first) == 0 || !slices.Equal(first, again) {
		return fmt.Errorf("Actions says %q and then %q; the same each time is wanted, and one at least", first, again)
	}
	for i, name := range first {
		if name == "" || slices.Contains(first[:i], name) {
			return fmt.Errorf("Actions says %q: %q is empty, or there twice", first, name)
		}
	}
	return nil
}

// messages returns what any plugin must stand, and what its author wants to be asked.
func messages(also []plugin.Message) []plugin.Message {
	all := []plugin.Message{
		{Type: plugin.Text, Content: []byte("hello")},
		{Type: plugin.Text, Content: []byte("你好，世界")},
		{Type: plugin.Text},
		{Type: plugin.RichText, Content: []byte(`{"type":"markdown","content":"**bold**"}`), Metadata: map[string]string{"k": "v"}},
		{Type: plugin.Recording, Content: []byte{0xff, 0xfe, 0}},
		{Type: plugin.System, Content: []byte{10, 2, 'h', 'i'}},
		{Type: plugin.Text, Content: bytes.Repeat([]byte("long "), 13000)},
	}
	all = append(all, also...)
	for i := range all {
		if all[i].RoomID == "" {
			all[i].RoomID, all[i].UserID, all[i].ClientID = "room", "alice", fmt.Sprint("c", i)
		}
	}
	return all
}

// everywhere makes every call by many goroutines at once, and then once with a context that is done.
func everywhere[T any](t *testing.T, inputs []T, call func(context.Context, T) error) {
	t.Helper()
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				for _, in := range inputs {
					if err := inTime(t.Context(), in, call); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, in := range inputs {
		if err := inTime(done, in, call); err != nil {
			t.Errorf("with a context that is done: %v", err)
		}
	}
}

// inTime makes a call that has to come back. Its context never ends before the call is overdue.
func inTime[T any](ctx context.Context, in T, call func(context.Context, T) error) error {
	ended := make(chan error, 1)
	go func() { ended <- call(ctx, in) }()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		return fmt.Errorf("a call is not back after %s: %+v", patience, in)
	}
}

// intercept makes one call, and writes to what it has given as soon as it is back: the race detector
// finds who still reads it.
func intercept(ctx context.Context, p plugin.MessageInterceptor, m plugin.Message) error {
	given := m
	given.Content, given.Metadata = slices.Clone(m.Content), maps.Clone(m.Metadata)
	var got plugin.Message
	err := called(func() (err error) {
		got, err = p.InterceptMessage(ctx, given)
		return err
	})
	var refused *plugin.Error
	switch {
	case errors.As(err, &refused):
		return checkRefusal(refused)
	case err != nil:
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	changed := unchanged(m, got)
	for i := range given.Content {
		given.Content[i] = 0
	}
	clear(given.Metadata)
	return changed
}

// unchanged tells whether a message is the one that it was, whatever it carries now.
func unchanged(m, got plugin.Message) error {
	for k, v := range got.Metadata {
		if !utf8.ValidString(k+v) || strings.ContainsRune(k+v, 0) {
			return fmt.Errorf("its metadata %q: %q is not UTF-8 without NUL", k, v)
		}
	}
	got.Content, got.Metadata, m.Content, m.Metadata = nil, nil, nil, nil
	if got.ID != m.ID || got.RoomID != m.RoomID || got.Seq != m.Seq || got.UserID != m.UserID || got.ClientID != m.ClientID ||
		got.Type != m.Type || !got.Time.Equal(m.Time) {
		return fmt.Errorf("it made of %+v the message %+v; only content and metadata may change", m, got)
	}
	return nil
}

func checkRefusal(e *plugin.Error) error {
	if e.Kind == plugin.KindUnavailable {
		return nil
	}
	if e.Reason == "" || len(e.Reason) > 1<<10 || !utf8.ValidString(e.Reason) || strings.ContainsRune(e.Reason, 0) {
		return fmt.Errorf("the reason %q cannot be told to a client: 1 to 1024 bytes of UTF-8 without NUL can", e.Reason)
	}
	return nil
}

// errPanic is what a plugin panicked with.
type errPanic struct{ value any }

func (e *errPanic) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func called(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &errPanic{r}
		}
	}()
	return f()
}

// onlyPanic passes over the errors that a plugin returns, which are its own affair.
func onlyPanic(err error) error {
	var p *errPanic
	if errors.As(err, &p) {
		return p
	}
	return nil
}

// answered is onlyPanic for what tells a client why it is refused.
func answered(err error) error {
	var refused *plugin.Error
	if errors.As(err, &refused) {
		return checkRefusal(refused)
	}
	return onlyPanic(err)
}
