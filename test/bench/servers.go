package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/game-im/hermod/test/loopback"
)

// startSelf starts this program as another of its servers: bare or upstream.
func startSelf(ctx context.Context, dir, name string, at addrs, args ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(ctx, name, dir, at, exec.Command(self, append([]string{name}, args...)...), accepts(at.service))
}

// startBare starts the bare loop, which asks the upstream at an address.
func startBare(ctx context.Context, dir, upstream string) (*server, error) {
	at, err := freeAddrs()
	if err != nil {
		return nil, err
	}
	return startSelf(ctx, dir, "bare", at, "-addr", at.im, "-web", at.web, "-quic", at.quic, "-service", at.service, "-upstream", upstream)
}

// startUpstream starts the business service that both servers ask.
func startUpstream(ctx context.Context, dir string) (*server, error) {
	addr, err := loopback.FreeAddr()
	if err != nil {
		return nil, err
	}
	return startSelf(ctx, dir, "upstream", addrs{service: addr}, "-addr", addr)
}

// nodeSetting is how a node differs from its defaults.
type nodeSetting struct {
	stored   bool
	upstream string // where it finds its business service; empty for the built-in one
}

// startNode starts a node with a data directory of its own, on free ports.
func startNode(ctx context.Context, bin, dir string, set nodeSetting) (*server, error) {
	at, err := freeAddrs()
	if err != nil {
		return nil, err
	}
	ops, err := loopback.FreeAddr()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "hermod.yaml")
	if err := os.WriteFile(conf, []byte(set.config()), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, "-conf", conf, "-im", at.im, "-grpc", at.service, "-http", at.web, "-quic", at.quic, "-ops", ops)
	cmd.Env = append(os.Environ(), "HERMOD_DATA_DIR="+filepath.Join(dir, "data"))
	return launch(ctx, "hermod", dir, at, cmd, func(ctx context.Context) error {
		return errors.Join(accepts(at.im)(ctx), healthy(ctx, "http://"+ops+"/readyz"))
	})
}

// config differs from the defaults where the load would be refused, since it is one client that sends
// as fast as it can and not a person, and where stopping would take its time for clients that are
// long gone.
func (n nodeSetting) config() string {
	text := fmt.Sprintf(`server:
  stop:
    notice: 0s
    drain: 0s
session:
  sends_per_second: 1000000
  send_burst: 1000000
room:
  defaults:
    persistent: %v
`, n.stored)
	if n.upstream != "" {
		text += fmt.Sprintf(`upstream:
  routes:
    - service: bench
  services:
    - name: bench
      targets: ["%s"]
`, n.upstream)
	}
	return text
}

func freeAddrs() (at addrs, err error) {
	for _, addr := range []*string{&at.im, &at.web, &at.quic, &at.service} {
		if *addr, err = loopback.FreeAddr(); err != nil {
			return at, err
		}
	}
	return at, nil
}

func accepts(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func healthy(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
