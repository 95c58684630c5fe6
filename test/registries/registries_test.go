package registries_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/test/registries"
)

// store writes something to a server and finds it again, each by the server's own HTTP interface.
type store struct {
	start func(testing.TB) *registries.Server
	put   func(t *testing.T, addr string)
	has   func(t *testing.T, addr string) bool
	// keeps tells whether it is still there after a restart: a Nacos instance lives by its heartbeat.
	keeps bool
}

var stores = map[string]store{
	"nacos": {
		start: registries.StartNacos,
		put: func(t *testing.T, addr string) {
			request(t, http.MethodPost, "http://"+addr+"/nacos/v1/ns/instance?serviceName=probe&ip=127.0.0.1&port=1&ephemeral=true&metadata=%7B%7D", "")
		},
		has: func(t *testing.T, addr string) bool {
			return strings.Contains(request(t, http.MethodGet, "http://"+addr+"/nacos/v1/ns/instance/list?serviceName=probe", ""), `"ip":"127.0.0.1"`)
		},
		keeps: true,
	},
	"etcd": {
		start: registries.StartEtcd,
		put: func(t *testing.T, addr string) {
			key := base64.StdEncoding.EncodeToString([]byte("probe"))
			request(t, http.MethodPost, "http://"+addr+"/v3/kv/put", fmt.Sprintf(`{"key":%q,"value":%q}`, key, key))
		},
		has: func(t *testing.T, addr string) bool {
			key := base64.StdEncoding.EncodeToString([]byte("probe"))
			return strings.Contains(request(t, http.MethodPost, "http://"+addr+"/v3/kv/range", fmt.Sprintf(`{"key":%q}`, key)), `"value"`)
		},
		keeps: true,
	},
	"consul": {
		start: registries.StartConsul,
		put: func(t *testing.T, addr string) {
			request(t, http.MethodPut, "http://"+addr+"/v1/kv/"+url.PathEscape("probe"), "probe")
		},
		has: func(t *testing.T, addr string) bool {
			return strings.Contains(request(t, http.MethodGet, "http://"+addr+"/v1/kv/?keys", ""), "probe")
		},
		keeps: true,
	},
}

// TestBuild builds all servers; `make registries` runs it with time enough.
func TestBuild(t *testing.T) {
	for name, s := range stores {
		t.Run(name, func(t *testing.T) { s.start(t) })
	}
}

func TestServers(t *testing.T) {
	t.Parallel()
	for name, s := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, other := s.start(t), s.start(t)
			s.put(t, server.Addr)
			await(t, "what was written is there", func() bool { return s.has(t, server.Addr) })
			if s.has(t, other.Addr) {
				t.Error("two servers share what they know")
			}
			server.Stop()
			server.Start()
			await(t, "it is there after a restart", func() bool { return s.has(t, server.Addr) == s.keeps })
			server.RestartEmpty()
			if s.has(t, server.Addr) {
				t.Error("it is there after a restart without data")
			}
			server.Freeze()
			if answered(server.Addr) {
				t.Error("a frozen server answers")
			}
			server.Thaw()
			await(t, "it answers again", func() bool { return answered(server.Addr) })
		})
	}
}

func answered(addr string) bool {
	c := http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + addr + "/")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

func request(t *testing.T, method, target, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text)), "")
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
