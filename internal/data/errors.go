package data

import (
	"context"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// errClosed is what a writer answers once it was closed.
var errClosed = errors.New("the database is closed")

// refusal is an error of a caller's own function, which goes back to him as it is.
type refusal struct{ error }

// storeError turns what a database says into what callers understand. Refusals, errors of biz and
// of contexts pass through.
func storeError(err error) error {
	var known *biz.Error
	var own refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.error
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case faultOf(err) == rowFault:
		return biz.Errorf(biz.KindInternal, "STORE_REFUSED", "the store refused the row").Because(err)
	}
	return unavailable(err)
}

func unavailable(cause error) *biz.Error {
	return biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "the store cannot do it now").Because(cause)
}

// overdue tells a statement that took too long from a caller whose time, which is ctx's, is over.
func overdue(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return unavailable(err)
	}
	return err
}
