package plugins

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// The codes of a handler's refusals, as a client gets them.
var refusalCodes = map[plugin.Kind]int32{
	plugin.KindRefused: 400, plugin.KindUnauthenticated: 401, plugin.KindPermissionDenied: 403,
}

// handler is one plugin that answers actions.
type handler struct {
	member *member
	hook   *hook
}

// answering is a biz.Upstream that has plugins answer their actions, and services all others.
type answering struct {
	handlers map[string]*handler // by action
	services biz.Upstream
}

// Process implements biz.Upstream.
func (a *answering) Process(ctx context.Context, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	h := a.handlers[r.Action]
	if h == nil {
		return a.services.Process(ctx, r)
	}
	answer, err := h.ask(ctx, actionOf(r))
	switch refused, ok := asRefusal(err); {
	case ok:
		return &biz.UpstreamResponse{Code: refusalCodes[refused.Kind], Message: refused.Reason}, nil
	case err != nil && ctx.Err() != nil:
		return nil, biz.AsError(ctx.Err())
	case err != nil:
		return nil, biz.Errorf(biz.KindUnavailable, "PLUGIN_UNAVAILABLE", "the action cannot be answered now").
			Because(fmt.Errorf("plugin %s: %w", h.member.name, err)).After(h.member.guard().advice(err))
	}
	return &biz.UpstreamResponse{Code: cmp.Or(answer.Code, biz.UpstreamOK), Message: answer.Message, Data: answer.Data, Headers: answer.Headers}, nil
}

// ask waits for the answer until the plugin's deadline, or until ctx is done.
func (h *handler) ask(ctx context.Context, a plugin.Action) (plugin.Answer, error) {
	type outcome struct {
		answer plugin.Answer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		var answer plugin.Answer
		w := &watch{}
		defer w.close()
		mine, err := h.member.do(w, h.hook, time.Now(), func(limited context.Context, able *abilities) (err error) {
			limited, cancel := context.WithCancel(limited)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			answer, err = able.answers.HandleAction(limited, a)
			if err != nil && ctx.Err() != nil {
				return plugin.Refused("the client is gone") // no fault of the plugin's
			}
			return err
		}, func(err error) { done <- outcome{err: err} })
		if mine {
			done <- outcome{answer, err}
		}
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		return plugin.Answer{}, errors.New("nobody waits for it any more")
	}
}

// actionOf is a request as a plugin gets it, which may come back when nobody waits any more: with copies.
func actionOf(r *biz.UpstreamRequest) plugin.Action {
	return plugin.Action{
		Name: r.Action, SessionID: string(r.Session), UserID: string(r.Identity.User), GID: r.Identity.GID, Zone: r.Zone,
		Params: maps.Clone(r.Params), Data: bytes.Clone(r.Data), Headers: maps.Clone(r.Headers),
	}
}

// handlersOf returns who answers which action.
func handlersOf(all []*handler) (map[string]*handler, error) {
	handlers := map[string]*handler{}
	for _, h := range all {
		for _, action := range h.member.guard().able.answers.Actions() {
			switch other := handlers[action]; {
			case action == "" || biz.IsLogin(action):
				return nil, fmt.Errorf("the plugin %s cannot answer the action %q: an action has a name, and is no login", h.member.name, action)
			case other != nil:
				return nil, fmt.Errorf("the plugins %s and %s both answer the action %q", other.member.name, h.member.name, action)
			}
			handlers[action] = h
		}
	}
	return handlers, nil
}
