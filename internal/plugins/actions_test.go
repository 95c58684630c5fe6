package plugins_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

// desk is a plugin that answers actions.
type desk struct {
	name    string
	actions []string
}

func (d desk) Name() string { return d.name }

func (d desk) Actions() []string { return d.actions }

func (d desk) HandleAction(ctx context.Context, a plugin.Action) (plugin.Answer, error) {
	switch a.Params["do"] {
	case "refuse":
		return plugin.Answer{}, plugin.Refused("not today")
	case "forbid":
		return plugin.Answer{}, plugin.PermissionDenied("not %s", a.UserID)
	case "fail":
		return plugin.Answer{}, errors.New("disk full")
	case "panic":
		panic("oh")
	case "hang":
		<-ctx.Done()
		return plugin.Answer{}, ctx.Err()
	}
	return plugin.Answer{Message: "rolled", Data: append([]byte("for "), a.UserID...), Headers: map[string]string{"zone": a.Zone}}, nil
}

func ask(ctx context.Context, u biz.Upstream, action, do string) (*biz.UpstreamResponse, error) {
	return u.Process(ctx, &biz.UpstreamRequest{Action: action, Zone: "001", Identity: biz.Identity{User: "alice"}, Params: map[string]string{"do": do}})
}

func TestActionsAreAnsweredWithin(t *testing.T) {
	t.Parallel()
	h, _ := hosted(t, &conf.Plugin{Failures: 100}, desk{"dice", []string{"roll"}})
	u := h.Answer(biz.Builtin{})
	for do, want := range map[string]biz.UpstreamResponse{
		"":       {Code: 200, Message: "rolled", Data: []byte("for alice")},
		"refuse": {Code: 400, Message: "not today"},
		"forbid": {Code: 403, Message: "not alice"},
	} {
		got, err := ask(t.Context(), u, "roll", do)
		if err != nil || got.Code != want.Code || got.Message != want.Message || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: got %+v, %v", do, got, err)
		}
	}
	for _, do := range []string{"fail", "panic"} {
		if _, err := ask(t.Context(), u, "roll", do); biz.KindOf(err) != biz.KindUnavailable || biz.AsError(err).Text != "the action cannot be answered now" {
			t.Errorf("%s: got %v", do, err)
		}
	}
	if got, err := ask(t.Context(), u, "echo", ""); err != nil || got.Code != 200 {
		t.Errorf("another action: got %+v, %v", got, err)
	}
}

func TestAnActionThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, m := hosted(t, &conf.Plugin{Deadline: usual}, desk{"dice", []string{"roll"}})
		u := h.Answer(biz.Builtin{})
		began := time.Now()
		if _, err := ask(t.Context(), u, "roll", "hang"); biz.KindOf(err) != biz.KindUnavailable || time.Since(began) != 500*time.Millisecond {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		if _, err := ask(ctx, u, "roll", "hang"); err == nil || time.Since(began) != 100*time.Millisecond {
			t.Errorf("got %v after %s, though the client is gone", err, time.Since(began))
		}
		synctest.Wait()
		if n := value(t, m, "hermod_plugin_running", "dice"); n != 0 {
			t.Errorf("%v calls run", n)
		}
	})
}

func TestActionsOfTwo(t *testing.T) {
	t.Parallel()
	for says, linked := range map[string][]plugin.Plugin{
		`the plugins a and b both answer the action "roll"`: {desk{"a", []string{"x", "roll"}}, desk{"b", []string{"roll"}}},
		`the plugin a cannot answer the action "Login"`:     {desk{"a", []string{"Login"}}},
		`the plugin a cannot answer the action ""`:          {desk{"a", []string{""}}},
	} {
		var c []*conf.Plugin
		for _, p := range linked {
			c = append(c, &conf.Plugin{Name: p.Name()})
		}
		_, err := plugins.New(c, linked, plugins.NewMetrics(), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
