package blob_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/data/blob"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
	"github.com/game-im/hermod/test/registries"
)

// bucketOf makes a bucket of a service and says how to open it.
func bucketOf(t *testing.T, server *registries.Server, name string) blob.S3Options {
	t.Helper()
	server.MakeBucket(name)
	return blob.S3Options{
		Endpoint: "http://" + server.Addr, Region: registries.ObjectsRegion, Bucket: name, Prefix: "recordings/", PathStyle: true,
		AccessKey: registries.ObjectsAccessKey, SecretKey: registries.ObjectsSecretKey, Timeout: 10 * time.Second,
	}
}

func openS3(t *testing.T, o blob.S3Options) *blob.S3 {
	t.Helper()
	s, err := blob.OpenS3(t.Context(), o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContractOfS3(t *testing.T) {
	t.Parallel()
	server := registries.StartObjects(t)
	var made atomic.Int32
	plugintest.BlobStore(t, func(t *testing.T) plugin.BlobStore {
		return openS3(t, bucketOf(t, server, fmt.Sprintf("bucket-%d", made.Add(1))))
	})
}

// TestS3ReadsWhatIsAskedFor: a part of a long recording is fetched, and not the whole.
func TestS3ReadsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	server := registries.StartObjects(t)
	var sent atomic.Int64
	front := counting(t, server.Addr, &sent)
	o := bucketOf(t, server, "bucket")
	b := plugintest.Blobs{T: t, Store: openS3(t, o)}
	b.Commit("long", strings.Repeat("0123456789", 1<<20))
	o.Endpoint = front
	r := plugintest.Blobs{T: t, Store: openS3(t, o)}.Open("long")
	sent.Store(0)
	if _, err := r.Seek(9<<20, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if n := sent.Load(); n < 1000 || n > 256<<10 {
		t.Errorf("%d bytes were fetched for 1,000", n)
	}
}

// inFrontOf is a proxy that leaves the host as the client named it, which is signed.
func inFrontOf(addr string) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: addr})
		r.Out.Host = r.In.Host
	}}
}

// counting is a proxy that counts the bytes of answers.
func counting(t *testing.T, addr string, sent *atomic.Int64) string {
	t.Helper()
	proxy := inFrontOf(addr)
	proxy.ModifyResponse = func(resp *http.Response) error {
		resp.Body = &countedBody{resp.Body, sent}
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func TestS3KeepsToItsPrefix(t *testing.T) {
	t.Parallel()
	server := registries.StartObjects(t)
	o := bucketOf(t, server, "bucket")
	one := plugintest.Blobs{T: t, Store: openS3(t, o)}
	o.Prefix = "recordings/other-"
	two := plugintest.Blobs{T: t, Store: openS3(t, o)}
	o.Prefix = ""
	root := plugintest.Blobs{T: t, Store: openS3(t, o)}
	one.Commit("a", "one")
	two.Commit("a", "two")
	root.Commit("a", "root")
	one.Want("a", "one")
	two.Want("a", "two")
	for name, b := range map[string]plugintest.Blobs{"two": two, "root": root} {
		if got := b.Names(time.Now().Add(time.Hour)); len(got) != 1 || got[0] != "a" {
			t.Errorf("%s has %v", name, got)
		}
	}
}

// TestS3Outage: a service that is gone is said to be so, in words and in health, and used again when it is back.
func TestS3Outage(t *testing.T) {
	t.Parallel()
	server := registries.StartObjects(t)
	o := bucketOf(t, server, "bucket")
	o.Timeout = time.Second
	s := openS3(t, o)
	b := plugintest.Blobs{T: t, Store: s}
	b.Commit("a", "x")
	if text := s.Health(); text != "" {
		t.Errorf("healthy, and says %q", text)
	}
	server.Stop()
	_, err := s.Open(t.Context(), "a")
	if !isUnavailable(err) || s.Health() == "" {
		t.Errorf("opened: %v; health %q", err, s.Health())
	}
	if err := b.Create("b", "y").Commit(); !isUnavailable(err) {
		t.Errorf("committed: %v", err)
	}
	server.Start()
	b.Want("a", "x")
	if text := s.Health(); text != "" {
		t.Errorf("back, and says %q", text)
	}
	b.WantAbsent("b")
}

func TestS3Refusals(t *testing.T) {
	t.Parallel()
	server := registries.StartObjects(t)
	good := bucketOf(t, server, "bucket")
	for name, test := range map[string]struct {
		change func(*blob.S3Options)
		says   string
	}{
		"no bucket":   {func(o *blob.S3Options) { o.Bucket = "nowhere" }, `no bucket "nowhere"`},
		"a wrong key": {func(o *blob.S3Options) { o.SecretKey = "wrong-secret-key" }, "refuses to open bucket"},
		"no address":  {func(o *blob.S3Options) { o.Endpoint = "nowhere" }, "not the address"},
		"no CA":       {func(o *blob.S3Options) { o.CAFile = "/nowhere" }, "no such file"},
	} {
		o := good
		test.change(&o)
		if _, err := blob.OpenS3(t.Context(), o, quiet); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Who does not answer may come back.
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := lis.Addr().String()
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	o := good
	o.Endpoint, o.Timeout = "http://"+away, 500*time.Millisecond
	s, err := blob.OpenS3(t.Context(), o, quiet)
	if err != nil || s.Health() == "" {
		t.Errorf("away: %v", err)
	}
}

// TestS3CredentialsFromAFile: and over TLS, by a certificate of an authority of one's own.
func TestS3CredentialsFromAFile(t *testing.T) {
	t.Parallel()
	server := registries.StartObjects(t)
	o := bucketOf(t, server, "bucket")
	proxy := inFrontOf(server.Addr)
	front := httptest.NewUnstartedServer(proxy)
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	front.StartTLS()
	t.Cleanup(front.Close)
	dir := t.TempDir()
	o.Endpoint, o.CAFile, o.CredentialsFile = front.URL, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "credentials")
	o.AccessKey, o.SecretKey, o.Profile = "", "", "hermod"
	text := fmt.Sprintf("[hermod]\naws_access_key_id = %s\naws_secret_access_key = %s\n", registries.ObjectsAccessKey, registries.ObjectsSecretKey)
	err := errors.Join(os.WriteFile(o.CredentialsFile, []byte(text), 0o600), os.WriteFile(o.CAFile, pemOf(front), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	b := plugintest.Blobs{T: t, Store: openS3(t, o)}
	b.Commit("a", "secret")
	b.Want("a", "secret")
}

func pemOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}
