package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// named is a mux that logs sessions in, and says who it is.
func named(name string) *upstream.Mux {
	m := &upstream.Mux{Log: slog.New(slog.DiscardHandler)}
	m.Handle("hello", func(context.Context, *upstream.Request) (*upstream.Response, error) {
		return upstream.LoggedIn(name, 7, "003"), nil
	})
	m.Handle("who", func(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
		gid, _ := r.GID()
		return &upstream.Response{Message: fmt.Sprint(name, " ", r.OpenID, " ", gid, " ", r.Zone())}, nil
	})
	return m
}

// answer reads what a service has said.
func answer(t *testing.T, push *gatewayv1.ServerPush) *gatewayv1.BusinessResponse {
	t.Helper()
	if push.GetType() != gatewayv1.PushType_PUSH_BUSINESS_DATA {
		t.Fatalf("no answer but %v: %v", push.GetType(), read(t, push, &gatewayv1.ErrorMessage{}))
	}
	return read(t, push, &gatewayv1.BusinessResponse{})
}

// TestBusinessService: a service made with the SDK answers the clients of every node it registers at,
// and none any more as soon as it has left.
func TestBusinessService(t *testing.T) {
	t.Parallel()
	a, b := Start(t, ""), Start(t, "")
	s := ServeMux(t, named("mine"), "")
	s.Register(a, b)
	for i, n := range []*Node{a, b} {
		p := loggedIn(t, n, fmt.Sprint("player", i))
		if got, want := answer(t, p.Ask("who", "")).GetMessage(), fmt.Sprintf("mine player%d 7 003", i); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	p := loggedIn(t, a, "alice")
	s.Leave()
	if resp := answer(t, p.Ask("who", "")); resp.GetCode() != 404 {
		t.Errorf("the service has left, and answers: %v", resp)
	}
}

// TestRegistrationsSurvive: a service is registered again at a node that was killed, or restarted; and one
// that was started again itself takes its own place.
func TestRegistrationsSurvive(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	s := ServeMux(t, named("mine"), "")
	s.Register(n)
	is := func(want string) {
		t.Helper()
		n.eventually("answered by "+want, func() bool {
			return answeredBy(t, loggedIn(t, n, "alice").Ask("who", "")) == want+" alice 7 003"
		})
	}
	is("mine")
	for _, restart := range []func(){
		func() { n.Kill(); n.Boot() },
		n.Restart,
		func() { n.Kill(); n.Boot() },
	} {
		restart()
		is("mine")
	}
	s.server.Stop() // without a word, as in a crash
	again := ServeMux(t, named("anew"), s.Addr)
	again.Register(n)
	is("anew")
}

// TestServiceStopsGracefully: while one instance of two leaves and stops, each request has its answer.
func TestServiceStopsGracefully(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	mux := func(name string) *upstream.Mux {
		m := named(name)
		m.Handle("work", func(ctx context.Context, _ *upstream.Request) (*upstream.Response, error) {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
			return &upstream.Response{Message: name}, ctx.Err()
		})
		return m
	}
	for _, name := range []string{"first", "second"} {
		ServeMux(t, mux(name), "").Register(n)
	}
	third := ServeMux(t, mux("third"), "")
	third.Register(n)
	players := make([]*Player, 40) // enough for each instance to have some
	for i := range players {
		players[i] = loggedIn(t, n, fmt.Sprint("player", i))
	}
	before, after := map[string]int{}, map[string]int{}
	ask := func(count map[string]int) {
		t.Helper()
		for _, p := range players {
			p.seq++
			p.Say(gatewayv1.RequestType_REQUEST_BUSINESS, p.seq, &gatewayv1.BusinessRequest{Action: "work"})
		}
		for _, p := range players {
			count[answeredBy(t, p.Next())]++
		}
	}
	for range 5 {
		ask(before)
	}
	stopped := make(chan bool)
	go func() {
		defer close(stopped)
		third.Leave()
		third.server.GracefulStop()
	}()
	for going := true; going; {
		select {
		case <-stopped:
			going = false
		default:
		}
		ask(after)
	}
	for _, count := range []map[string]int{before, after} {
		for by, times := range count {
			if by != "first" && by != "second" && by != "third" {
				t.Errorf("%d requests were answered with %s", times, by)
			}
		}
	}
	if before["third"] == 0 {
		t.Errorf("the third had nothing to do: %v", before)
	}
}

// TestRegistrationNeedsAToken, of a gateway that wants to know who is calling.
func TestRegistrationNeedsAToken(t *testing.T) {
	t.Parallel()
	n := Start(t, "auth:\n  mode: trusted\n  service_token: "+serviceToken+"\n")
	for token, want := range map[string]codes.Code{"": codes.Unauthenticated, "another token": codes.Unauthenticated, serviceToken: codes.OK} {
		err := next(t, ServeMux(t, named("mine"), "").RegisterWith([]*Node{n}, upstream.WithToken(token)))
		if status.Code(err) != want {
			t.Errorf("with the token %q: %v, want %v", token, err, want)
		}
	}
}

// TestPublishedUpstream: a service that registers as gatesvr's do, which say nothing of leases or names, is
// called under the name that they have.
func TestPublishedUpstream(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	s := ServeMux(t, named("published"), "")
	resp, err := n.Pushes().RegisterUpstream(within(t), &gatewayv1.UpstreamRegisterRequest{Address: s.Addr, ZoneId: "001"})
	if err != nil || !resp.GetSuccess() {
		t.Fatalf("%v, %v", resp, err)
	}
	if got := answer(t, loggedIn(t, n, "10042").Ask("who", "")).GetMessage(); got != "published 10042 7 003" {
		t.Errorf("%q", got)
	}
}

// TestErrorsOfServices: what a service answers with an error, and what clients are told when there is no
// answer.
func TestErrorsOfServices(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	m := named("mine")
	fail := func(action string, err error) {
		m.Handle(action, func(context.Context, *upstream.Request) (*upstream.Response, error) { return nil, err })
	}
	fail("taken", upstream.Errorf(409, "it is taken"))
	fail("not-found", status.Error(codes.NotFound, "no such mail"))
	fail("later", status.Error(codes.Unavailable, "a secret"))
	fail("busy", status.Error(codes.ResourceExhausted, "a secret"))
	fail("broken", errors.New("a secret"))
	m.Handle("panics", func(context.Context, *upstream.Request) (*upstream.Response, error) { panic("a secret") })
	ServeMux(t, m, "").Register(n)
	p := loggedIn(t, n, "alice")
	for action, want := range map[string]*gatewayv1.BusinessResponse{
		"taken":     {Code: 409, Message: "it is taken"},
		"not-found": {Code: 404, Message: "no such mail"},
		"dance":     {Code: 404, Message: `there is no action "dance"`},
	} {
		if resp := answer(t, p.Ask(action, "")); resp.GetCode() != want.GetCode() || resp.GetMessage() != want.GetMessage() {
			t.Errorf("%s: %v", action, resp)
		}
	}
	for action, want := range map[string]int32{"later": 503, "busy": 503, "broken": 500, "panics": 500} {
		push := p.Ask(action, "")
		if push.GetType() != gatewayv1.PushType_PUSH_ERROR {
			t.Errorf("%s: %v", action, push)
			continue
		}
		if refusal := read(t, push, &gatewayv1.ErrorMessage{}); refusal.GetErrorCode() != want || refusal.GetErrorMessage() == "a secret" {
			t.Errorf("%s: %v", action, refusal)
		}
	}
	if resp := answer(t, p.Ask("who", "")); resp.GetMessage() != "mine alice 7 003" {
		t.Errorf("after all that: %v", resp)
	}
}

// TestPushesOfServices: what a handler binds to its answer comes on the side that it says, in the order in
// which it was pushed; and at once when the answer is written.
func TestPushesOfServices(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	client := upstream.NewUnicastClient(n.Gateway)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var outcomes []upstream.Outcome
	var asked *upstream.Request
	push := func(ctx context.Context, r *upstream.Request, title string, when upstream.CallOption) {
		outcome, err := client.Push(ctx, r.Caller(), upstream.Notification{Title: title}, when)
		if err != nil {
			t.Error(err)
		}
		outcomes = append(outcomes, outcome)
	}
	m := named("mine")
	m.Handle("pushes", func(ctx context.Context, r *upstream.Request) (*upstream.Response, error) {
		asked = r
		push(ctx, r, "after 1", upstream.After(r))
		push(ctx, r, "before 1", upstream.Before(r))
		push(ctx, r, "before 2", upstream.Before(r))
		push(ctx, r, "after 2", upstream.After(r))
		return &upstream.Response{Message: "the answer"}, nil
	})
	ServeMux(t, m, "").Register(n)
	p := loggedIn(t, n, "alice")
	p.seq++
	p.Say(gatewayv1.RequestType_REQUEST_BUSINESS, p.seq, &gatewayv1.BusinessRequest{Action: "pushes"})
	for _, want := range []string{"[] before 1", "[] before 2", "the answer", "[] after 1", "[] after 2"} {
		if got := answer(t, p.Next()).GetMessage(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, o := range outcomes {
		if o.Status != upstream.Queued {
			t.Errorf("a push that waits for the answer is %v", o)
		}
	}
	outcomes = nil
	for _, when := range []upstream.CallOption{upstream.After(asked), upstream.Before(asked)} {
		push(t.Context(), asked, "late", when)
		if got := answer(t, p.Next()).GetMessage(); got != "[] late" || outcomes[len(outcomes)-1].Status != upstream.Delivered {
			t.Errorf("%q, %v", got, outcomes)
		}
	}
}
