package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// DemoUnicastPush connects and runs Demo, with its output and errors on the standard output.
func (c *UnicastClient) DemoUnicastPush() {
	err := c.Connect()
	if err == nil {
		err = c.Demo(context.Background(), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stdout, "the demo has stopped:", err)
	}
}

// demoCall is one call of the demo and what came of it, in words.
type demoCall struct {
	what string
	run  func(ctx context.Context) (string, error)
}

// Demo makes every kind of call once and writes each to out, with what became of it. The targets are
// those of the published test program; who wants to see something arrive connects as one of them, such
// as openid user456. That a push is refused is an outcome like any other: the error is that of a call
// which had no answer, after which no other is made.
func (c *UnicastClient) Demo(ctx context.Context, out io.Writer) error {
	for _, call := range c.demoCalls() {
		text, err := call.run(ctx)
		if refused, ok := errors.AsType[*PushError](err); ok {
			text, err = fmt.Sprintf("refused: %s (%s)", refused.Message, refused.Code), nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", call.what, err)
		}
		if _, err := fmt.Fprintf(out, "%s\n    %s\n", call.what, text); err != nil {
			return err
		}
	}
	return nil
}

func (c *UnicastClient) demoCalls() []demoCall {
	n := Notification{
		MsgType: "system", Title: "System notice", Content: "This is a pushed message", Data: []byte("extra data"),
		Metadata: map[string]string{"from": "demo"},
	}
	push := func(what string, to Target, opts ...CallOption) demoCall {
		return demoCall{what, func(ctx context.Context) (string, error) {
			outcome, err := c.Push(ctx, to, n, opts...)
			return outcome.Message, err
		}}
	}
	return []demoCall{
		push("push to gid 12345", GID(12345)),
		push("push to openid user456", OpenID("user456")),
		push("push to openid user456, bound to no request", OpenID("user456"), BoundTo(gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE, 0)),
		push("push to session session-uuid", Session("session-uuid")),
		push("push to a target of an unknown kind", Target{"room", "lobby"}),
		{"batch to gid 12345, openid user456 and session session-uuid", func(ctx context.Context) (string, error) {
			results, err := c.PushBatch(ctx, []Target{GID(12345), OpenID("user456"), Session("session-uuid")}, n)
			return describeResults(results), err
		}},
		{"broadcast", func(ctx context.Context) (string, error) {
			sent, err := c.Broadcast(ctx, n)
			if sent == 1 {
				return "sent to 1 connected session", err
			}
			return fmt.Sprintf("sent to %d connected sessions", sent), err
		}},
	}
}

func describeResults(results []Result) string {
	good, text := 0, ""
	for _, r := range results {
		if r.Err == nil {
			good++
		}
		text += fmt.Sprintf("\n    %s: %s", r.Target, r.Outcome.Message)
	}
	return fmt.Sprintf("%d of %d succeeded", good, len(results)) + text
}
