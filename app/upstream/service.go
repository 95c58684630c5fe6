package sample

import (
	"context"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/game-im/hermod/sdk/upstream"
)

// maxUsers bounds what is remembered: beyond it, who was not heard of for longest is forgotten.
const maxUsers = 10_000

// service answers requests. A real one has a database here.
type service struct {
	gateway *upstream.UnicastClient
	users   *lru.Cache[string, user] // who is logged in, by openid
	since   time.Time
}

func newService(gateway *upstream.UnicastClient, log *slog.Logger) *upstream.Mux {
	users, err := lru.New[string, user](maxUsers)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	s := &service{gateway: gateway, users: users, since: time.Now()}
	mux := &upstream.Mux{Log: log}
	mux.Use(s.seen)
	for action, handler := range map[string]upstream.Handler{
		"hello": s.login, "login": s.login, "auth": s.login, "signin": s.login,
		"logout": s.logout, "session_info": upstream.JSON(s.sessionInfo), "user_list": upstream.JSON(s.userList),

		"echo": echo, "time": now, "calculate": calculate, "status": upstream.JSON(s.status),

		"broadcast": s.broadcast, "before": s.before, "after": s.after,
	} {
		mux.Handle(action, handler)
	}
	return mux
}

// seen is middleware that keeps whoever asks from being forgotten.
func (s *service) seen(next upstream.Handler) upstream.Handler {
	return func(ctx context.Context, r *upstream.Request) (*upstream.Response, error) {
		s.users.Get(r.OpenID)
		return next(ctx, r)
	}
}
