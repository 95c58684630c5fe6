package service_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

func asking(ctx context.Context, pairs ...string) context.Context {
	return metadata.NewIncomingContext(ctx, metadata.Pairs(pairs...))
}

func TestPushOptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pairs []string
		wait  time.Duration // 0: none
		wrong string        // what a refusal says
	}{
		{nil, 0, ""},
		{[]string{"wait", "acknowledged"}, 5 * time.Second, ""},
		{[]string{"wait", "acknowledged", "wait-timeout", "250ms"}, 250 * time.Millisecond, ""},
		{[]string{"wait", "acknowledged", "wait-timeout", "30s"}, 30 * time.Second, ""},
		{[]string{"offline", "whatever"}, 0, ""},
		{[]string{"wait", "written"}, 0, `wait: "written" is unknown; acknowledged is allowed`},
		{[]string{"wait", ""}, 0, "acknowledged is allowed"},
		{[]string{"wait-timeout", "1s"}, 0, "without wait: acknowledged"},
		{[]string{"wait", "acknowledged", "wait-timeout", "1"}, 0, `wait-timeout: "1" is not possible`},
		{[]string{"wait", "acknowledged", "wait-timeout", "0s"}, 0, "up to 30s, is allowed"},
		{[]string{"wait", "acknowledged", "wait-timeout", "31s"}, 0, "up to 30s, is allowed"},
		{[]string{"ttl", "24h"}, 0, ""},
		{[]string{"ttl", "30"}, 0, `ttl: "30" is not possible; a duration such as 30s`},
		{[]string{"ttl", "-1s"}, 0, "is not possible"},
		{[]string{"ttl", "90000h"}, 0, "up to 87600h0m0s, is allowed"},
		{[]string{"idempotency-key", ""}, 0, "idempotency-key is empty; 1 to 255 bytes are allowed"},
		{[]string{"idempotency-key", strings.Repeat("k", 256)}, 0, "at most 255 are allowed"},
	} {
		t.Run(fmt.Sprintf("%.60q", test.pairs), func(t *testing.T) {
			t.Parallel()
			g, ctx := newGateway(), asking(t.Context(), test.pairs...)
			one, err := g.PushToClient(ctx, &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "delivered"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = g.BatchPushToClients(ctx, &gatewayv1.BatchUnicastPushRequest{Targets: []*gatewayv1.UnicastTarget{{TargetType: "openid", TargetId: "delivered"}}})
			if test.wrong != "" {
				if one.GetErrorCode() != "INVALID_REQUEST" || !strings.Contains(one.GetMessage(), test.wrong) {
					t.Errorf("got %v, want %q", one, test.wrong)
				}
				if status.Code(err) != codes.InvalidArgument || kerrors.Reason(err) != "INVALID_REQUEST" {
					t.Errorf("a batch: %v", err)
				}
				if len(g.sessions.pushes) > 0 {
					t.Error("it went out all the same")
				}
				return
			}
			if !one.GetSuccess() || err != nil {
				t.Errorf("%v, a batch: %v", one, err)
			}
			waited := g.sessions.waited
			if (test.wait > 0) != (len(waited) == 2) {
				t.Fatalf("waited %v", waited)
			}
			for _, d := range waited {
				if d > test.wait || d < test.wait-time.Second {
					t.Errorf("waited %v, want %v", d, test.wait)
				}
			}
		})
	}
}

// TestRepeatsAreCountedOnce: the targets of a request that is repeated have had their outcome.
func TestRepeatsAreCountedOnce(t *testing.T) {
	t.Parallel()
	g, ctx := newGateway(), t.Context()
	one := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "delivered"}
	many := &gatewayv1.BatchUnicastPushRequest{Targets: []*gatewayv1.UnicastTarget{{TargetType: "session", TargetId: "none"}, {TargetType: "openid", TargetId: "queued"}}}
	for range 3 {
		if resp, err := g.PushToClient(asking(ctx, "idempotency-key", "one"), one); err != nil || resp.GetOutcome() != gatewayv1.PushOutcome_PUSH_OUTCOME_DELIVERED {
			t.Errorf("%v, %v", resp, err)
		}
		resp, err := g.BatchPushToClients(asking(ctx, "idempotency-key", "many"), many)
		if err != nil || resp.GetSuccessCount() != 1 || resp.GetResults()[0].GetErrorCode() != "TARGET_NOT_FOUND" || resp.GetResults()[1].GetMessage() != "queued" {
			t.Errorf("%v, %v", resp, err)
		}
		if resp, err := g.BroadcastToClients(asking(ctx, "idempotency-key", "all"), &gatewayv1.BroadcastRequest{}); err != nil || resp.GetMessage() != "sent to 3 of 5 sessions" {
			t.Errorf("%v, %v", resp, err)
		}
	}
	want := map[string]float64{
		"delivered": 1, "not_found": 1, "queued": 1,
		"hermod_push_broadcasts_total": 1, "hermod_push_broadcast_sessions_total": 3, "hermod_push_repeats_total": 8,
	}
	if counts := g.counts(t); !maps.Equal(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
}

// TestKeyConflicts: another request under a key is refused in the terms of its call, with a code that
// the .proto lists; what a push is bound to is part of the request.
func TestKeyConflicts(t *testing.T) {
	t.Parallel()
	g, ctx := newGateway(), asking(t.Context(), "idempotency-key", "k")
	bound := func(seq uint64) *gatewayv1.UnicastPushRequest {
		return &gatewayv1.UnicastPushRequest{
			TargetType: "openid", TargetId: "delivered", SyncHint: gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE, BindClientSeqId: seq,
		}
	}
	if resp, err := g.PushToClient(ctx, bound(1)); err != nil || !resp.GetSuccess() {
		t.Fatalf("%v, %v", resp, err)
	}
	resp, err := g.PushToClient(ctx, bound(2))
	if err != nil || resp.GetErrorCode() != gatewayv1.PushErrorCode_IDEMPOTENCY_CONFLICT.String() || resp.GetOutcome() != gatewayv1.PushOutcome_PUSH_OUTCOME_REJECTED {
		t.Errorf("%v, %v", resp, err)
	}
	if _, err := g.BroadcastToClients(ctx, &gatewayv1.BroadcastRequest{}); status.Code(err) != codes.Aborted || kerrors.Reason(err) != "IDEMPOTENCY_CONFLICT" {
		t.Errorf("a broadcast: %v", err)
	}
}
