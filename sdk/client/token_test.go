package client

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A source of tokens that fails says nothing about the server, whatever status its error has.
func TestFailingTokenSourceDoesNotEndTheClient(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	var asked atomic.Int64
	cfg.TokenSource = func(context.Context) (string, error) {
		if asked.Add(1) == 2 {
			return "", status.Error(codes.PermissionDenied, "no tokens today")
		}
		return "secret", nil
	}
	_, ps := p.connect(t, cfg)
	ps.end(errLost)
	wait(t, ev.errors, "OnError with the loss")
	if err := wait(t, ev.errors, "OnError with the source's error"); status.Code(err) != codes.PermissionDenied || errors.Is(err, ErrGaveUp) {
		t.Errorf("OnError(%v)", err)
	}
	p.next(t).accept(t, "s1", true)
}

// A source of tokens that blocks, or that disconnects, holds up neither Connect nor Disconnect.
func TestTokenSourceIsNotWaitedForBeyondItsContext(t *testing.T) {
	t.Parallel()
	t.Run("it blocks in Connect", func(t *testing.T) {
		t.Parallel()
		cfg, _ := newPeer(t).config()
		cfg.ConnectTimeout = 10 * time.Millisecond
		hold := make(chan struct{})
		defer close(hold)
		cfg.TokenSource = func(context.Context) (string, error) {
			<-hold
			return "late", nil
		}
		c, err := NewClient(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Connect: %v", err)
		}
	})
	t.Run("it disconnects at a heartbeat", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t)
		cfg, _ := p.config()
		cfg.HeartbeatInterval = 500 * time.Millisecond
		var client atomic.Pointer[Client]
		disconnected := make(chan error, 16)
		cfg.TokenSource = func(context.Context) (string, error) {
			if c := client.Load(); c != nil {
				disconnected <- c.Disconnect()
			}
			return "secret", nil
		}
		c, _ := p.connect(t, cfg)
		client.Store(c)
		if err := wait(t, disconnected, "Disconnect"); err != nil {
			t.Error(err)
		}
	})
}
