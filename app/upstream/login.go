package sample

import (
	"context"
	"strconv"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
)

// user is what the service remembers of who logged in.
type user struct {
	OpenID string    `json:"openid"`
	Name   string    `json:"name"`
	Since  time.Time `json:"since"`
}

// login lets everybody in: the gateway has established who it is. The gid of a user whose openid is a
// number is that number.
func (s *service) login(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
	name := r.Params["name"]
	if name == "" {
		name = r.OpenID
	}
	s.users.Add(r.OpenID, user{r.OpenID, name, time.Now().UTC()})
	gid, err := strconv.ParseInt(r.OpenID, 10, 64)
	if err != nil {
		gid = 0
	}
	return upstream.LoggedIn("welcome, "+name, gid, ""), nil
}

func (s *service) logout(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
	s.users.Remove(r.OpenID)
	return &upstream.Response{Message: "goodbye, " + r.OpenID}, nil
}

// session is what the service knows of the session that asks.
type session struct {
	Session   string `json:"session"`
	GID       int64  `json:"gid,omitempty"`
	Zone      string `json:"zone,omitempty"`
	ClientSeq uint64 `json:"client_seq"`
	user
}

func (s *service) sessionInfo(_ context.Context, r *upstream.Request, _ struct{}) (session, error) {
	who, known := s.users.Get(r.OpenID)
	if !known { // the service was restarted since, for which the gateway does not log anybody out
		who = user{OpenID: r.OpenID}
	}
	gid, _ := r.GID()
	return session{Session: r.Session, GID: gid, Zone: r.Zone(), ClientSeq: r.ClientSeq, user: who}, nil
}

// mostListed bounds what user_list shows.
const mostListed = 100

// list is how many users are logged in, and those who were heard of last.
type list struct {
	Count int    `json:"count"`
	Users []user `json:"users"`
}

func (s *service) userList(context.Context, *upstream.Request, struct{}) (list, error) {
	all := s.users.Values() // the last ones last
	l := list{Count: len(all), Users: all[max(0, len(all)-mostListed):]}
	return l, nil
}
