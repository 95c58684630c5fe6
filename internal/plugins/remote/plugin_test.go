package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

// TestEveryCapability: a plugin in a process of its own can do all that a linked one can.
func TestEveryCapability(t *testing.T) {
	t.Parallel()
	n := open(t, nil, as(t, "talker", map[string]any{"tail": "!"}))
	ctx := t.Context()
	if got := n.text("r", "hi"); got != "hi!" {
		t.Errorf("got %q", got)
	}
	if got := n.text("r", "refuse"); got != "MESSAGE_REFUSED" {
		t.Errorf("got %q", got)
	}
	answer, err := of[plugin.ActionHandler](t, n).HandleAction(ctx, plugin.Action{Name: "roll", UserID: "bob", Data: []byte{0xff}, Headers: map[string]string{"k": "v"}})
	if want := (plugin.Answer{Code: 201, Message: "bob", Data: []byte{0xff}, Headers: map[string]string{"k": "v"}}); err != nil || !reflect.DeepEqual(answer, want) {
		t.Errorf("got %v, %v", answer, err)
	}
	if _, err := of[plugin.ActionHandler](t, n).HandleAction(ctx, plugin.Action{Name: "fail"}); err == nil || !strings.Contains(err.Error(), "out of dice") {
		t.Errorf("got %v", err)
	}
	who, err := of[plugin.Authenticator](t, n).Authenticate(ctx, plugin.Credentials{Token: "K7"})
	if want := (plugin.Identity{UserID: "alice", Roles: []string{"service"}, Expiry: time.Unix(2e9, 0)}); err != nil || !reflect.DeepEqual(who, want) {
		t.Errorf("got %v, %v", who, err)
	}
	_, err = of[plugin.Authenticator](t, n).Authenticate(ctx, plugin.Credentials{})
	refusedAs(t, err, plugin.KindUnauthenticated, "the ticket is not known")
	if err := of[plugin.Authorizer](t, n).Authorize(ctx, plugin.Access{Kind: plugin.Join}); err != nil {
		t.Error(err)
	}
	err = of[plugin.Authorizer](t, n).Authorize(ctx, plugin.Access{Kind: plugin.Push, By: "shop", Target: plugin.Target{Kind: plugin.Everybody}})
	refusedAs(t, err, plugin.KindPermissionDenied, "not to everybody, shop")
	err = of[plugin.OfflineNotifier](t, n).NotifyOffline(ctx, plugin.Notification{Users: []string{"a", "b"}, Push: &plugin.Pushed{ID: "p1"}})
	if e := refusedAs(t, err, plugin.KindUnavailable, "busy"); e != nil && e.RetryAfter != time.Second {
		t.Errorf("after %s", e.RetryAfter)
	}
	for _, err := range []error{
		of[plugin.MessageObserver](t, n).ObserveMessage(ctx, plugin.Message{Seq: 7, Content: []byte("yo")}),
		of[plugin.RoomObserver](t, n).ObserveRoom(ctx, plugin.RoomEvent{Kind: plugin.Left, UserID: "carol"}),
		of[plugin.SessionObserver](t, n).ObserveSession(ctx, plugin.SessionEvent{Kind: plugin.Ended, SessionID: "s1"}),
		of[plugin.RefusalObserver](t, n).ObserveRefusal(ctx, plugin.Refusal{
			Plugin: "door", Access: plugin.Access{Kind: plugin.Send, By: "dave"}, Message: plugin.Message{Content: []byte("psst")}, Reason: "louder",
		}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, line := range []string{"heard 7 yo", "heard that carol left", "heard that s1 ended", "heard that dave was refused psst by door: louder", "heard that [a b] are away for p1 true", "the talker starts"} {
		await(t, line, func() bool { return strings.Contains(n.log.String(), line) })
	}
}

func refusedAs(t *testing.T, err error, kind plugin.Kind, reason string) *plugin.Error {
	t.Helper()
	var e *plugin.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Reason != reason {
		t.Errorf("got %v, want %q", err, reason)
		return nil
	}
	return e
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	n := open(t, nil, as(t, "talker", nil))
	p := of[plugin.Transcriber](t, n)
	for _, size := range []int{0, 1, 32 << 10, 5<<20 + 1} {
		a := plugin.Audio{ID: "a", Format: "opus", Size: int64(size), Duration: 3 * time.Second, Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(make([]byte, size))), nil
		}}
		if got, err := p.Transcribe(t.Context(), a); err != nil || got != (plugin.Transcript{Text: "opus 3s", Confidence: 0.5}) {
			t.Errorf("%d bytes: %v, %v", size, got, err)
		}
		a.Size++
		_, err := p.Transcribe(t.Context(), a)
		if e := (*plugin.Error)(nil); !errors.As(err, &e) || e.Kind != plugin.KindRefused {
			t.Errorf("got %v", err)
		}
	}
}

// TestConformance has the suite for authors call a plugin that is out of process.
func TestConformance(t *testing.T) {
	t.Parallel()
	n := open(t, nil, as(t, "talker", nil))
	plugintest.MessageInterceptor(t, of[plugin.MessageInterceptor](t, n))
	plugintest.MessageObserver(t, of[plugin.MessageObserver](t, n))
	plugintest.RoomObserver(t, of[plugin.RoomObserver](t, n))
	plugintest.ActionHandler(t, of[plugin.ActionHandler](t, n), plugin.Action{Name: "roll", Data: []byte("x")})
}

// TestKeysOutOfProcess: what is wrong with keys is told as of a linked plugin.
func TestKeysOutOfProcess(t *testing.T) {
	t.Parallel()
	for says, keys := range map[string]map[string]any{
		"plugins[0].config.tial: no such key; allowed here: tail": {"tial": "x"},
		"plugins[0].config.tail: must be a text":                  {"tail": 5},
		"plugins[0].config: tail must not be bad":                 {"tail": "bad"},
	} {
		_, err := tryOpen(t, nil, as(t, "talker", keys))
		if problems := (conf.Problems)(nil); !errors.As(err, &problems) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}

// TestPluginThatDoesNotStart: a node ends with a message that names the plugin, and has its last words.
func TestPluginThatDoesNotStart(t *testing.T) {
	t.Parallel()
	missing := as(t, "talker", nil)
	missing.Process.Command = []string{"/nowhere/at-all"}
	elsewhere := as(t, "talker", nil)
	elsewhere.Process.Dir = "/nowhere/at-all"
	for says, c := range map[string]*conf.Plugin{
		`the plugin p does not start: its process has ended; exit status 3; the last that it wrote: "nothing to say"`: as(t, "mute", nil),
		"the plugin p does not start: nothing to talk with":                                                           as(t, "talker", map[string]any{"tail": "broken"}),
		"the plugin p does not start: fork/exec /nowhere/at-all: no such":                                             missing,
		"the plugin p does not start: process.dir: open /nowhere/at-all":                                              elsewhere,
		"the plugin p does not start: its first frame is not its description":                                         as(t, "first frame", nil),
		"the plugin p does not start: EOF":                                                                            as(t, "gone", nil),
		"the plugin p does not start: rpc error: code = Internal":                                                     as(t, "no frame first", nil),
	} {
		if _, err := tryOpen(t, nil, c); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
