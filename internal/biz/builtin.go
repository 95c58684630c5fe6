package biz

import (
	"context"
	"strconv"
	"strings"
)

// IsLogin tells whether an action logs a session in: hello, login, auth or signin, in any case.
func IsLogin(action string) bool {
	switch strings.ToLower(action) {
	case "hello", "login", "auth", "signin":
		return true
	}
	return false
}

// LoginOnly is the Upstream of a node without services: whoever has proven who he is is logged in,
// and nothing else is known.
type LoginOnly struct{}

// Process implements Upstream.
func (LoginOnly) Process(_ context.Context, r *UpstreamRequest) (*UpstreamResponse, error) {
	if IsLogin(r.Action) {
		return welcome(r, r.Identity.GID, ""), nil
	}
	return unknownAction(r, "hello, login, auth and signin"), nil
}

// Builtin is a small Upstream to try a gateway with: it logs in, echoes, and takes leave.
type Builtin struct{}

// Process implements Upstream. Where callers are trusted to say who they are, they may also say
// their gid and zone, as parameters of the login; the gid of one who does not is his openid, if that is
// a number.
func (Builtin) Process(_ context.Context, r *UpstreamRequest) (*UpstreamResponse, error) {
	switch {
	case IsLogin(r.Action):
		gid, zone, wrong := claimed(r)
		if wrong != nil {
			return wrong, nil
		}
		return welcome(r, gid, zone), nil
	case strings.EqualFold(r.Action, "echo"):
		return &UpstreamResponse{Code: UpstreamOK, Message: "success", Data: append([]byte("Echo: "), r.Data...)}, nil
	case strings.EqualFold(r.Action, "logout"):
		return &UpstreamResponse{Code: UpstreamOK, Message: "goodbye, " + string(r.Identity.User)}, nil
	}
	return unknownAction(r, "hello, login, auth, signin, echo and logout"), nil
}

// claimed returns the gid and zone that a login assigns.
func claimed(r *UpstreamRequest) (gid int64, zone string, wrong *UpstreamResponse) {
	if gid = r.Identity.GID; !r.Identity.Trusted {
		return gid, "", nil
	}
	zone = r.Params[HeaderZone]
	text := r.Params[HeaderGID]
	switch {
	case gid != 0 && text == "":
		return gid, zone, nil
	case text == "":
		gid, err := strconv.ParseInt(string(r.Identity.User), 10, 64)
		if err != nil || gid < 0 {
			gid = 0 // an openid that is no number: no gid
		}
		return gid, zone, nil
	}
	named, err := strconv.ParseInt(text, 10, 64)
	if err != nil || gid != 0 && named != gid {
		return 0, "", &UpstreamResponse{Code: 400, Message: "the parameter gid must be a decimal number, and the caller's own: " + quote(text)}
	}
	return named, zone, nil
}

func welcome(r *UpstreamRequest, gid int64, zone string) *UpstreamResponse {
	return &UpstreamResponse{Code: UpstreamOK, Message: "welcome, " + string(r.Identity.User), Headers: loginHeaders(gid, zone)}
}

// loginHeaders say what a login has assigned.
func loginHeaders(gid int64, zone string) map[string]string {
	headers := map[string]string{}
	if gid != 0 {
		headers[HeaderGID] = strconv.FormatInt(gid, 10)
	}
	if zone != "" {
		headers[HeaderZone] = zone
	}
	return headers
}

func unknownAction(r *UpstreamRequest, known string) *UpstreamResponse {
	return &UpstreamResponse{Code: UpstreamNotFound, Message: "no service answers the action " + quote(r.Action) + "; this node knows " + known}
}
