package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// step is one request, and what has to come of it.
type step struct {
	action, params, data string
	code                 int32 // of the answer
	before, after        int   // pushes on either side of it
	beside               int   // pushes that are bound to no answer, and come on whichever side
}

var steps = []step{
	{action: "echo", data: "too early", code: 401},
	{action: "hello", params: "name=Alice", code: 200},
	{action: "login", code: 200}, // to who is logged in the gateway itself says so
	{action: "auth", code: 200},
	{action: "signin", code: 200},
	{action: "echo", data: "ping", code: 200},
	{action: "time", code: 200},
	{action: "calculate", params: "operation=add a=40 b=2", code: 200},
	{action: "calculate", params: "operation=subtract a=40 b=2", code: 200},
	{action: "calculate", params: "operation=multiply a=6 b=7", code: 200},
	{action: "calculate", params: "operation=divide a=1 b=8", code: 200},
	{action: "calculate", params: "operation=divide a=1 b=0", code: 400},
	{action: "status", code: 200},
	{action: "session_info", code: 200},
	{action: "user_list", code: 200},
	{action: "broadcast", params: "message=hi", code: 200, beside: 1},
	{action: "before", code: 200, before: 1},
	{action: "after", code: 200, after: 1},
	{action: "dance", code: 404},
	{action: "logout", code: 200},
}

// play has the client make every step and writes what happens to out.
func play(ctx context.Context, c *client, out io.Writer) error {
	for _, s := range steps {
		if err := s.play(ctx, c, out); err != nil {
			return fmt.Errorf("%s: %w", s.action, err)
		}
	}
	return nil
}

func (s step) play(ctx context.Context, c *client, out io.Writer) error {
	request := &gatewayv1.BusinessRequest{Action: s.action, Data: []byte(s.data), Params: map[string]string{}}
	for _, pair := range strings.Fields(s.params) {
		key, value, _ := strings.Cut(pair, "=")
		request.Params[key] = value
	}
	fmt.Fprintf(out, "\n  → %s\n", strings.TrimSpace(s.action+" "+s.params+s.data))
	id, err := c.ask(ctx, request)
	if err != nil {
		return err
	}
	before, err := show(ctx, c, out, id, s.code)
	if err != nil {
		return err
	}
	late := s.before + s.beside - before
	if late < 0 || late > s.beside {
		return fmt.Errorf("%d pushes came ahead of the answer; %d to %d should", before, s.before, s.before+s.beside)
	}
	for range late + s.after {
		frame, err := c.next(ctx)
		if err != nil {
			return err
		}
		if frame.GetMsgId() != 0 {
			return fmt.Errorf("no push came behind the answer, but %v", frame)
		}
		if err := showPush(out, frame); err != nil {
			return err
		}
	}
	return nil
}

// show writes what comes until the answer to a request, which must have the code, and tells how many
// pushes that were.
func show(ctx context.Context, c *client, out io.Writer, id uint32, code int32) (pushes int, err error) {
	for ; ; pushes++ {
		frame, err := c.next(ctx)
		if err != nil {
			return pushes, err
		}
		if frame.GetMsgId() == id {
			return pushes, showAnswer(out, frame, code)
		}
		if err := showPush(out, frame); err != nil {
			return pushes, err
		}
	}
}

func showAnswer(out io.Writer, frame *gatewayv1.ServerPush, want int32) error {
	if frame.GetType() == gatewayv1.PushType_PUSH_ERROR { // the gateway's own, or no service answers
		refusal := &gatewayv1.ErrorMessage{}
		if err := proto.Unmarshal(frame.GetPayload(), refusal); err != nil {
			return err
		}
		fmt.Fprintf(out, "  ← error %d %s (%s)\n", refusal.GetErrorCode(), refusal.GetErrorMessage(), refusal.GetDetail())
		return wanted(refusal.GetErrorCode(), want)
	}
	answer := &gatewayv1.BusinessResponse{}
	if err := proto.Unmarshal(frame.GetPayload(), answer); err != nil {
		return err
	}
	text := strings.TrimSpace(answer.GetMessage()+" "+string(answer.GetData())) + list(frame.GetHeaders())
	fmt.Fprintf(out, "  ← %d %s\n", answer.GetCode(), strings.TrimSpace(text))
	return wanted(answer.GetCode(), want)
}

func wanted(code, want int32) error {
	if code != want {
		return fmt.Errorf("the answer is %d, not %d", code, want)
	}
	return nil
}

func showPush(out io.Writer, frame *gatewayv1.ServerPush) error {
	push := &gatewayv1.BusinessResponse{}
	if err := proto.Unmarshal(frame.GetPayload(), push); err != nil {
		return err
	}
	fmt.Fprintf(out, "  ⇐ %s%s\n", push.GetMessage(), list(frame.GetHeaders()))
	return nil
}

// list writes the headers of a frame.
func list(headers map[string]string) (text string) {
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		text += fmt.Sprintf("  %s=%s", key, headers[key])
	}
	return text
}
