// Package webhook is a plugin that asks an HTTP endpoint about each message before it is stored: the endpoint lets it
// pass, changes it, or refuses it with a reason. Requests are signed as those of durable webhooks. It knows of the node
// what any plugin knows; how long an answer may take, and what becomes of a message without one, is the host's business.
package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/sdk/webhook"
)

// Config is its keys.
type Config struct {
	URL         string   `json:"url"`         // http or https
	Secrets     []string `json:"secrets"`     // all of them sign
	Types       []string `json:"types"`       // text, audio, rich_text; empty: all
	Connections int      `json:"connections"` // to the endpoint, at most
	CAFile      string   `json:"ca_file"`     // PEM; empty: the authorities of the system
}

// typeNames are what types may be.
var typeNames = map[string]plugin.MessageType{"text": plugin.Text, "audio": plugin.Recording, "rich_text": plugin.RichText}

// Hook is the plugin. Its methods may be called by many goroutines at once.
type Hook struct {
	config Config
	types  map[plugin.MessageType]bool // empty: all
	client *http.Client
}

// The capabilities.
var (
	_ plugin.Configurable       = (*Hook)(nil)
	_ plugin.Validator          = (*Hook)(nil)
	_ plugin.Starter            = (*Hook)(nil)
	_ plugin.Stopper            = (*Hook)(nil)
	_ plugin.MessageInterceptor = (*Hook)(nil)
)

// New returns a hook that has no endpoint before it is configured.
func New() *Hook { return &Hook{config: Config{Connections: 64}} }

// Name implements plugin.Plugin.
func (*Hook) Name() string { return "webhook" }

// Renew implements plugin.Renewable.
func (*Hook) Renew() plugin.Plugin { return New() }

// Config implements plugin.Configurable.
func (h *Hook) Config() any { return &h.config }

const maxConnections = 10_000

// Validate implements plugin.Validator.
func (h *Hook) Validate() error {
	c := &h.config
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "":
		return errors.New("url is not an http or https address without user and fragment, such as https://example.com/before")
	case len(c.Secrets) == 0:
		return fmt.Errorf("secrets is empty; name a secret of %d bytes or more, or several, to exchange them", webhook.MinSecret)
	case c.Connections < 1 || c.Connections > maxConnections:
		return fmt.Errorf("connections is %d; 1 to %d are allowed", c.Connections, maxConnections)
	}
	for i, secret := range c.Secrets {
		if err := webhook.CheckSecret(secret); err != nil {
			return fmt.Errorf("secrets[%d] %w", i, err)
		}
	}
	for _, name := range c.Types {
		if typeNames[name] == 0 {
			return fmt.Errorf("types: %q is not known; text, audio and rich_text are allowed", name)
		}
	}
	_, err = h.tlsConfig()
	return err
}

func (h *Hook) tlsConfig() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if h.config.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(h.config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s has no certificate in PEM", h.config.CAFile)
	}
	return t, nil
}

// Start implements plugin.Starter. The endpoint need not be there yet.
func (h *Hook) Start(context.Context) error {
	secured, err := h.tlsConfig()
	if err != nil {
		return err
	}
	h.types = make(map[plugin.MessageType]bool)
	for _, name := range h.config.Types {
		h.types[typeNames[name]] = true
	}
	h.client = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig: secured, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
			MaxConnsPerHost: h.config.Connections, MaxIdleConnsPerHost: h.config.Connections, IdleConnTimeout: 90 * time.Second,
		},
		// What is signed for one place is not sent to another, which only that one has named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// Stop implements plugin.Stopper.
func (h *Hook) Stop(context.Context) error {
	h.client.CloseIdleConnections()
	return nil
}

// InterceptMessage implements plugin.MessageInterceptor.
func (h *Hook) InterceptMessage(ctx context.Context, m plugin.Message) (plugin.Message, error) {
	if len(h.types) > 0 && !h.types[m.Type] {
		return m, nil
	}
	a, err := h.ask(ctx, m)
	if err != nil {
		return m, err
	}
	switch a.Action {
	case "", actionPass:
		return m, nil
	case actionRefuse:
		if a.Reason == "" {
			a.Reason = "the message is not wanted here"
		}
		return m, plugin.Refused("%s", a.Reason)
	case actionChange:
		if a.Content != nil {
			m.Content = *a.Content
		}
		if a.Metadata != nil {
			m.Metadata = *a.Metadata
		}
		return m, nil
	}
	return m, fmt.Errorf("the endpoint answers with the action %.40q; pass, change and refuse are known", a.Action)
}
