package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/service"
)

var quiet = slog.New(slog.DiscardHandler)

// table is what callers are told of each kind.
var table = map[biz.Kind]codes.Code{
	biz.KindInternal:         codes.Internal,
	biz.KindInvalid:          codes.InvalidArgument,
	biz.KindUnauthenticated:  codes.Unauthenticated,
	biz.KindPermissionDenied: codes.PermissionDenied,
	biz.KindNotFound:         codes.NotFound,
	biz.KindConflict:         codes.Aborted,
	biz.KindResourceLimit:    codes.ResourceExhausted,
	biz.KindUnavailable:      codes.Unavailable,
	biz.KindCanceled:         codes.Canceled,
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for kind := biz.KindInternal; kind <= biz.KindCanceled; kind++ {
		want, known := table[kind]
		if !known {
			t.Errorf("kind %d is not in the table", kind)
		}
		err := service.Error(quiet, fmt.Errorf("while: %w", biz.Errorf(kind, "WHY", "text").Because(errors.New("secret"))))
		st := status.Convert(err)
		if st.Code() != want || st.Message() != "text" || kerrors.Reason(err) != "WHY" {
			t.Errorf("kind %d: %v %q, reason %s; want %v", kind, st.Code(), st.Message(), kerrors.Reason(err), want)
		}
		if strings.Contains(fmt.Sprint(err, st.Proto()), "secret") {
			t.Errorf("kind %d: the cause is told: %v", kind, err)
		}
	}
	if len(table) != int(biz.KindCanceled)+1 {
		t.Errorf("the table has %d kinds", len(table))
	}
}

func TestErrorsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"canceled":    {context.Canceled, codes.Canceled, "CANCELED"},
		"out of time": {fmt.Errorf("query: %w", context.DeadlineExceeded), codes.Unavailable, "DEADLINE_EXCEEDED"},
		"unknown":     {errors.New("dial tcp 10.0.0.1: secret"), codes.Internal, "INTERNAL"},
	} {
		err := service.Error(quiet, test.err)
		if status.Code(err) != test.code || kerrors.Reason(err) != test.reason || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := service.Error(quiet, nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

// TestOurOwnFaultsAreLogged: with their cause, and refusals of a client's are not, since anybody
// can cause any number of those.
func TestOurOwnFaultsAreLogged(t *testing.T) {
	t.Parallel()
	cause := errors.New("the cause")
	for name, test := range map[string]struct {
		err    error
		logged bool
	}{
		"internal":                    {biz.Errorf(biz.KindInternal, "R", "t").Because(cause), true},
		"unknown":                     {cause, true},
		"the store":                   {biz.Errorf(biz.KindUnavailable, "R", "t").Because(cause), true},
		"unavailable by decision":     {biz.Errorf(biz.KindUnavailable, "R", "t"), false},
		"invalid":                     {biz.Errorf(biz.KindInvalid, "R", "t").Because(cause), false},
		"not found":                   {biz.Errorf(biz.KindNotFound, "R", "t"), false},
		"a limit":                     {biz.Errorf(biz.KindResourceLimit, "R", "t").Because(cause), false},
		"the caller has gone":         {context.Canceled, false},
		"the caller's time has ended": {context.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			if err := service.Error(slog.New(slog.NewTextHandler(&log, nil)), test.err); err == nil {
				t.Fatal("no error")
			}
			if test.logged != strings.Contains(log.String(), "the cause") || !test.logged && log.Len() > 0 {
				t.Errorf("logged %q", &log)
			}
		})
	}
}
