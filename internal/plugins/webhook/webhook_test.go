package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
	"github.com/game-im/hermod/sdk/webhook"
)

const secret = "what both sides know alone"

// started returns a hook that asks an endpoint.
func started(t *testing.T, endpoint http.HandlerFunc, change ...func(*Config)) *Hook {
	t.Helper()
	server := httptest.NewServer(endpoint)
	h := New()
	h.config.URL, h.config.Secrets = server.URL, []string{secret}
	for _, c := range change {
		c(&h.config)
	}
	if err := errors.Join(h.Validate(), h.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return h
}

// answering checks the signature, and answers with a text.
func answering(t *testing.T, status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := webhook.Verify(r, []string{secret}, 0); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

var hello = plugin.Message{RoomID: "r", UserID: "u", Type: plugin.Text, Content: []byte("hello"), Metadata: map[string]string{"k": "v"}}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status   int
		text     string
		content  string // "": it fails
		metadata string
		refused  string
	}{
		"pass":              {200, `{"action":"pass"}`, "hello", "v", ""},
		"nothing":           {204, "", "hello", "v", ""},
		"an empty object":   {200, "{}", "hello", "v", ""},
		"change":            {200, `{"action":"change","content":"Ynll"}`, "bye", "v", ""},
		"change metadata":   {200, `{"action":"change","metadata":{"k":"w"}}`, "hello", "w", ""},
		"refuse":            {200, `{"action":"refuse","reason":"not here"}`, "", "", "not here"},
		"refuse, no word":   {200, `{"action":"refuse"}`, "", "", "the message is not wanted here"},
		"an error":          {500, "", "", "", ""},
		"a redirection":     {302, "", "", "", ""},
		"garbage":           {200, "<html>", "", "", ""},
		"an unknown action": {200, `{"action":"delay"}`, "", "", ""},
		"no base64":         {200, `{"action":"change","content":"!"}`, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := started(t, answering(t, c.status, c.text)).InterceptMessage(t.Context(), hello)
			var refusal *plugin.Error
			switch {
			case c.content != "":
				if err != nil || string(m.Content) != c.content || m.Metadata["k"] != c.metadata {
					t.Errorf("%s %v, %v", m.Content, m.Metadata, err)
				}
			case c.refused != "":
				if !errors.As(err, &refusal) || refusal.Reason != c.refused {
					t.Errorf("%v", err)
				}
			case err == nil || errors.As(err, &refusal):
				t.Errorf("%v is no failure", err)
			}
		})
	}
}

func TestQuestion(t *testing.T) {
	t.Parallel()
	asked := make(chan question, 1)
	h := started(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := webhook.Verify(r, []string{secret}, 0)
		var q question
		if err := errors.Join(err, json.Unmarshal(body, &q)); err != nil {
			t.Error(err)
		}
		asked <- q
	})
	if _, err := h.InterceptMessage(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(<-asked); got != "{r u  TEXT [104 101 108 108 111] map[k:v]}" {
		t.Error(got)
	}
}

// TestDeadlineEndsTheRequest: an endpoint that hangs holds nothing up beyond the context.
func TestDeadlineEndsTheRequest(t *testing.T) {
	t.Parallel()
	h := started(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does a server notice that its client is gone
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.InterceptMessage(ctx, hello); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestConnectionsAreBounded, and used again.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(answering(t, 204, ""))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	h := started(t, answering(t, 204, ""), func(c *Config) { c.URL, c.Connections = server.URL, 2 })
	plugintest.MessageInterceptor(t, h)
	if n := opened.Load(); n < 1 || n > 2 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestOtherTypesPass(t *testing.T) {
	t.Parallel()
	h := started(t, answering(t, 500, ""), func(c *Config) { c.Types = []string{"text"} })
	m := hello
	m.Type = plugin.RichText
	if _, err := h.InterceptMessage(t.Context(), m); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"url":         func(c *Config) { c.URL = "ftp://example.com" },
		"secrets is":  func(c *Config) { c.Secrets = nil },
		"secrets[0]":  func(c *Config) { c.Secrets = []string{"short"} },
		"connections": func(c *Config) { c.Connections = 0 },
		"types":       func(c *Config) { c.Types = []string{"system"} },
		"ca_file":     func(c *Config) { c.CAFile = "/nowhere" },
	} {
		h := New()
		h.config.URL, h.config.Secrets = "https://example.com", []string{secret}
		if err := h.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&h.config)
		if err := h.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "short") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
