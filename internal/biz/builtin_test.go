package biz_test

import (
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestBuiltinLogin: only trusted callers choose their gid, and nobody gets another than his own.
func TestBuiltinLogin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id   biz.Identity
		gid  string // the parameter
		code int32
		want string
	}{
		"trusted, chosen":           {biz.Identity{User: "alice", Trusted: true}, "7", 200, "7"},
		"trusted, a number":         {biz.Identity{User: "10001", Trusted: true}, "", 200, "10001"},
		"trusted, no number":        {biz.Identity{User: "alice", Trusted: true}, "", 200, ""},
		"trusted, nonsense":         {biz.Identity{User: "alice", Trusted: true}, "x", 400, ""},
		"trusted, another's":        {biz.Identity{User: "alice", GID: 8, Trusted: true}, "7", 400, ""},
		"proven, chosen":            {biz.Identity{User: "10001"}, "7", 200, ""},
		"proven, that of the token": {biz.Identity{User: "10001", GID: 8}, "7", 200, "8"},
	} {
		resp, err := biz.Builtin{}.Process(t.Context(), &biz.UpstreamRequest{
			Identity: c.id, Action: "Login", Params: map[string]string{"gid": c.gid},
		})
		if err != nil || resp.Code != c.code || resp.Headers[biz.HeaderGID] != c.want {
			t.Errorf("%s: %+v, %v", name, resp, err)
		}
	}
}
