package doctor

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/test/loopback"
	"github.com/game-im/hermod/test/registries"
)

// TestRecordings: a bucket of a real service is written to, nothing is left in it, and whatever keeps a node from using
// it is told apart.
func TestRecordings(t *testing.T) {
	t.Parallel()
	server := registries.StartObjects(t)
	server.MakeBucket("bucket")
	key := func(name, value string) conf.Override {
		return conf.Override{Path: "data.blobs.s3." + name, Value: value}
	}
	s3 := []conf.Override{
		{Path: "data.blobs.store", Value: conf.BlobsS3}, key("endpoint", "http://"+server.Addr), key("region", registries.ObjectsRegion), key("bucket", "bucket"),
		key("prefix", "recordings/"), key("path_style", "true"), key("access_key", registries.ObjectsAccessKey), key("secret_key", registries.ObjectsSecretKey),
	}
	expects(t, "a folder", examined(t, blobs), OK, "data.dir")
	for name, tt := range map[string]struct {
		with  []conf.Override
		state State
		says  string
	}{
		"a bucket":          {nil, OK, "bucket bucket at http://" + server.Addr + " is writable"},
		"another bucket":    {[]conf.Override{key("bucket", "another")}, Failure, "does not exist"},
		"a wrong secret":    {[]conf.Override{key("secret_key", "a wrong one")}, Failure, "does not take the key"},
		"a wrong key":       {[]conf.Override{key("access_key", "nobody")}, Failure, "does not take the key"},
		"a wrong clock":     {[]conf.Override{key("endpoint", late(t, server.Addr))}, Failure, "set the clock"},
		"nobody there":      {[]conf.Override{key("endpoint", "http://"+loopback.Addr(t))}, Warning, "does not answer"},
		"no TLS":            {[]conf.Override{key("endpoint", "https://"+server.Addr)}, Warning, "does not answer"},
		"no such authority": {[]conf.Override{key("ca_file", "/none/ca.pem")}, Failure, "cannot be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expects(t, name, examined(t, blobs, append(s3[:len(s3):len(s3)], tt.with...)...), tt.state, tt.says)
		})
	}
	t.Cleanup(func() { // when all of them are over, and before the service ends
		if left := server.Objects("bucket"); len(left) > 0 {
			t.Errorf("%q are left", left)
		}
	})
}

// late is a way to a service on which requests seem to be signed an hour ago, or in an hour where that was yesterday: the
// day is a part of the signature.
func late(t *testing.T, addr string) string {
	t.Helper()
	const form = "20060102T150405Z"
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: addr})
		r.Out.Host = r.In.Host
		signed, err := time.Parse(form, r.In.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
		}
		other := signed.Add(-time.Hour)
		if other.Day() != signed.Day() {
			other = signed.Add(time.Hour)
		}
		r.Out.Header.Set("X-Amz-Date", other.Format(form))
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}
