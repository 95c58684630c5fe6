package biz_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

func TestAsError(t *testing.T) {
	t.Parallel()
	own := biz.Errorf(biz.KindConflict, "OWN", "own %d", 1)
	tests := []struct {
		name   string
		err    error
		kind   biz.Kind
		reason string
	}{
		{"its own", own, biz.KindConflict, "OWN"},
		{"wrapped", fmt.Errorf("while: %w", own), biz.KindConflict, "OWN"},
		{"with a cause", own.Because(io.EOF), biz.KindConflict, "OWN"},
		{"with a canceled cause", own.Because(context.Canceled), biz.KindConflict, "OWN"},
		{"canceled", fmt.Errorf("query: %w", context.Canceled), biz.KindCanceled, "CANCELED"},
		{"out of time", fmt.Errorf("query: %w", context.DeadlineExceeded), biz.KindUnavailable, "DEADLINE_EXCEEDED"},
		{"anything else", errors.New("pq: secret"), biz.KindInternal, "INTERNAL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := biz.AsError(test.err)
			if e.Kind != test.kind || e.Reason != test.reason || biz.KindOf(test.err) != test.kind {
				t.Errorf("got kind %d, reason %s", e.Kind, e.Reason)
			}
			if e.Text == "" || strings.Contains(e.Text, "secret") || strings.Contains(e.Text, "query") {
				t.Errorf("the text %q gives away the cause, or says nothing", e.Text)
			}
		})
	}
	if biz.AsError(nil) != nil {
		t.Error("no error became one")
	}
}

func TestBecauseKeepsTheOriginal(t *testing.T) {
	t.Parallel()
	e := biz.Errorf(biz.KindInternal, "R", "text")
	with := e.Because(io.ErrUnexpectedEOF)
	if !errors.Is(with, io.ErrUnexpectedEOF) || with.Error() != "text: unexpected EOF" || with.Text != "text" {
		t.Errorf("with its cause: %v", with)
	}
	if errors.Is(e, io.ErrUnexpectedEOF) || e.Error() != "text" {
		t.Errorf("the original: %v", e)
	}
}
