package client

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func refusedFor(t *testing.T, d time.Duration) error {
	t.Helper()
	s, err := status.New(codes.Unavailable, "overloaded").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

// TestAdviceIsHeeded: a client that was told when to come back does not come back sooner, whether the
// advice was in the close of its connection or in the refusal of an attempt.
func TestAdviceIsHeeded(t *testing.T) {
	t.Parallel()
	const advised = 300 * time.Millisecond
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.Backoff = func(int) time.Duration { return 0 }
	_, ps := p.connect(t, cfg)
	closed := time.Now()
	ps.end(status.Error(codes.Canceled, "x"), keyDisconnectCode, "3000", keyDisconnectReason, "shutdown", keyDisconnectRetry, "300")
	if cause := wait(t, ev.disconnects, "OnDisconnect"); RetryAfter(cause) != advised {
		t.Errorf("OnDisconnect(%v) says to wait %v", cause, RetryAfter(cause))
	}
	again := p.next(t)
	if took := time.Since(closed); took < advised {
		t.Errorf("back after %v, advised were %v", took, advised)
	}
	refused := time.Now()
	again.end(refusedFor(t, advised))
	p.next(t).accept(t, "s1", true)
	if took := time.Since(refused); took < advised {
		t.Errorf("the next attempt came after %v, advised were %v", took, advised)
	}
}

// TestAdviceIsBounded: a client waits as long as its Backoff says or as it was advised, whichever is
// longer; no server keeps it away for hours.
func TestAdviceIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		backoff, want time.Duration
		err           error
	}{
		{"no advice", time.Second, time.Second, errLost},
		{"longer than the backoff", time.Second, 5 * time.Second, &DisconnectError{Code: 3007, RetryAfter: 5 * time.Second}},
		{"shorter than the backoff", 10 * time.Second, 10 * time.Second, &DisconnectError{Code: 3007, RetryAfter: 5 * time.Second}},
		{"of hours", time.Second, maxBackoff, &DisconnectError{Code: 3007, RetryAfter: 5 * time.Hour}},
		{"a longer backoff", time.Hour, time.Hour, &DisconnectError{Code: 3007, RetryAfter: 5 * time.Hour}},
		{"of a refusal", time.Second, 7 * time.Second, refusedFor(t, 7*time.Second)},
		{"the past", time.Second, time.Second, refusedFor(t, -7*time.Second)},
		{"wrapped", time.Second, 7 * time.Second, errors.Join(errLost, &DisconnectError{RetryAfter: 7 * time.Second})},
	} {
		c := &Client{cfg: Config{Backoff: func(int) time.Duration { return tt.backoff }}}
		if got := c.wait(1, tt.err); got != tt.want {
			t.Errorf("%s: waits %v, want %v", tt.name, got, tt.want)
		}
	}
}
