package server

import (
	"net/http"
	"net/url"
	"strings"
)

// origins are the web pages that may open a WebSocket connection here, beside those that this host
// serves itself: scheme://host[:port], the host perhaps with "*." before it, or "*" for all. A browser
// lets any page connect to anywhere and says only which page it is, so that the check is ours.
type origins []string

// allow tells whether a request comes from an allowed page, or from no page at all: programs that are
// no browsers send no origin, and could send any.
func (o origins) allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	for _, allowed := range o {
		if allowed == "*" || err == nil && u.Host != "" && matches(allowed, u) {
			return true
		}
	}
	return false
}

func matches(allowed string, u *url.URL) bool {
	scheme, host, _ := strings.Cut(strings.ToLower(allowed), "://")
	if !strings.EqualFold(scheme, u.Scheme) {
		return false
	}
	if rest, wild := strings.CutPrefix(host, "*."); wild {
		_, parent, found := strings.Cut(strings.ToLower(u.Host), ".")
		return found && (parent == rest || strings.HasSuffix(parent, "."+rest))
	}
	return strings.EqualFold(host, u.Host)
}
