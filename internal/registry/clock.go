package registry

import (
	"context"
	"net/http"
	"time"

	"github.com/game-im/hermod/internal/conf"
)

// Clock returns what the clock of a registry says, to the second, and false when it does not tell: etcd
// never does, and none while it cannot be reached.
func Clock(ctx context.Context, c *conf.Registry) (now time.Time, known bool) {
	t, err := conf.TLSConfig("registry.tls", c.GetTls())
	if err != nil || c.GetType() != conf.RegistryConsul && c.GetType() != conf.RegistryNacos {
		return time.Time{}, false
	}
	scheme := "http://"
	if t != nil {
		scheme = "https://"
	}
	transport := &http.Transport{TLSClientConfig: t, DisableKeepAlives: true}
	for _, addr := range c.Addresses() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+addr+"/", http.NoBody)
		if err != nil {
			return time.Time{}, false
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			continue
		}
		_ = resp.Body.Close() // only the header is of interest, and it needs no credentials
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			return date, true
		}
	}
	return time.Time{}, false
}
