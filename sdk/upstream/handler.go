package upstream

import (
	"context"
	"encoding/json"
	"fmt"
)

// Handler answers requests, many at a time. The context ends when the gateway no longer waits for the
// answer. A nil response without an error says CodeOK and nothing else. An *Error is the answer that it
// says; what becomes of other errors is in the package documentation.
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Middleware wraps a handler in what is done for many.
type Middleware func(next Handler) Handler

// JSON makes a handler of a function that reads a request's data as JSON and returns what is written
// as JSON into the data of the answer. Data that is no JSON for an In is answered with CodeBadRequest,
// and the function not called; no data at all is the zero In. An In of struct{} has no use for data, and
// takes any.
func JSON[In, Out any](f func(ctx context.Context, r *Request, in In) (Out, error)) Handler {
	return func(ctx context.Context, r *Request) (*Response, error) {
		var in In
		if _, none := any(in).(struct{}); !none && len(r.Data) > 0 {
			if err := json.Unmarshal(r.Data, &in); err != nil {
				return nil, Errorf(CodeBadRequest, "the data of %s cannot be read: %v", r.Action, err)
			}
		}
		out, err := f(ctx, r, in)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(out)
		if err != nil {
			return nil, fmt.Errorf("the answer to %s cannot be written: %w", r.Action, err)
		}
		return &Response{Data: data}, nil
	}
}
