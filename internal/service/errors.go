// Package service serves the unary RPCs: it turns protobuf into the rules' terms and back, and has
// no rules of its own.
package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
)

// codes are the HTTP codes of the kinds of failure, which Kratos maps to gRPC's: InvalidArgument,
// Unauthenticated, PermissionDenied, NotFound, Aborted, ResourceExhausted, Unavailable, Canceled,
// Internal.
var codes = map[biz.Kind]int{
	biz.KindInvalid:          400,
	biz.KindUnauthenticated:  401,
	biz.KindPermissionDenied: 403,
	biz.KindNotFound:         404,
	biz.KindConflict:         409,
	biz.KindResourceLimit:    429,
	biz.KindUnavailable:      503,
	biz.KindCanceled:         499,
	biz.KindInternal:         500,
}

// Error returns what a caller is told of err: a Kratos error with the rules' reason and text, whose
// gRPC status carries both. Causes stay here; those of our own faults go to the log.
func Error(log *slog.Logger, err error) error {
	if err == nil {
		return nil
	}
	e := biz.AsError(err)
	switch {
	case !ours(e):
	case e.Kind == biz.KindUnavailable:
		onceASecond(log).Do(func() { log.Error("calls fail", "reason", e.Reason, "error", e) })
	default:
		log.Error("a call failed", "reason", e.Reason, "error", e)
	}
	told := kerrors.New(codes[e.Kind], e.Reason, e.Text)
	if e.Retry > 0 {
		return &advised{told, e.Retry}
	}
	return told
}

// advised is an error that says when to try again: to callers of gRPC by the detail that is meant for it.
type advised struct {
	err   *kerrors.Error
	retry time.Duration
}

func (a *advised) Error() string { return a.err.Error() }

// Unwrap returns the Kratos error.
func (a *advised) Unwrap() error { return a.err }

// GRPCStatus is what gRPC answers with.
func (a *advised) GRPCStatus() *status.Status {
	s := a.err.GRPCStatus()
	with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(a.retry)})
	if err != nil { // of a status that is OK, which none of ours is
		return s
	}
	return with
}

// lines has a *rate.Sometimes for each *slog.Logger, of which a process has a few.
var lines sync.Map

// onceASecond lets one line a second through: while the store is away, every call fails.
func onceASecond(log *slog.Logger) *rate.Sometimes {
	s, _ := lines.LoadOrStore(log, &rate.Sometimes{Interval: time.Second})
	return s.(*rate.Sometimes)
}

// ours tells a fault of the node from one of the caller, whose deadline is his own.
func ours(e *biz.Error) bool {
	unavailable := e.Kind == biz.KindUnavailable && e.Unwrap() != nil
	return e.Kind == biz.KindInternal || unavailable && !errors.Is(e, context.DeadlineExceeded)
}
