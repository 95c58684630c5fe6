package sample

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
)

const success = "success"

func echo(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
	return &upstream.Response{Message: success, Data: append([]byte("Echo: "), r.Data...)}, nil
}

func now(context.Context, *upstream.Request) (*upstream.Response, error) {
	return &upstream.Response{Message: success, Data: []byte(time.Now().UTC().Format(time.RFC3339Nano))}, nil
}

// operations are those of calculate. false: they are not possible with these numbers.
var operations = map[string]func(a, b float64) (float64, bool){
	"add":      func(a, b float64) (float64, bool) { return a + b, true },
	"subtract": func(a, b float64) (float64, bool) { return a - b, true },
	"multiply": func(a, b float64) (float64, bool) { return a * b, true },
	"divide":   func(a, b float64) (float64, bool) { return a / b, b != 0 },
}

func calculate(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
	operation, ok := operations[r.Params["operation"]]
	if !ok {
		return nil, upstream.Errorf(upstream.CodeBadRequest, "operation %q is not known; add, subtract, multiply and divide are", r.Params["operation"])
	}
	a, err := number(r, "a")
	if err != nil {
		return nil, err
	}
	b, err := number(r, "b")
	if err != nil {
		return nil, err
	}
	result, possible := operation(a, b)
	if !possible || math.IsInf(result, 0) {
		return nil, upstream.Errorf(upstream.CodeBadRequest, "there is no result of %s %v by %v", r.Params["operation"], a, b)
	}
	return &upstream.Response{Message: success, Data: strconv.AppendFloat(nil, result, 'f', -1, 64)}, nil
}

func number(r *upstream.Request, param string) (float64, error) {
	v, err := strconv.ParseFloat(r.Params[param], 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, upstream.Errorf(upstream.CodeBadRequest, "%s is %q; a number such as 3 or -0.5 is required", param, r.Params[param])
	}
	return v, nil
}

// state is how the service is.
type state struct {
	Status string `json:"status"`
	Uptime int64  `json:"uptime"` // seconds
	Users  int    `json:"users"`  // logged in
}

func (s *service) status(context.Context, *upstream.Request, struct{}) (state, error) {
	return state{Status: "healthy", Uptime: int64(time.Since(s.since).Seconds()), Users: s.users.Len()}, nil
}
