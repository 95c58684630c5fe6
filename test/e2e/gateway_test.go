package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// tell pushes to any kind of target and returns the answer.
func tell(t *testing.T, g gatewayv1.GatewayServiceClient, kind, id, title string) *gatewayv1.UnicastPushResponse {
	t.Helper()
	resp, err := g.PushToClient(within(t), &gatewayv1.UnicastPushRequest{TargetType: kind, TargetId: id, MsgType: "m", Title: title, Content: "c", Data: []byte("d")})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// wantData fails unless a frame brings that message and data.
func wantData(t *testing.T, push *gatewayv1.ServerPush, message, data string) {
	t.Helper()
	r := read(t, push, &gatewayv1.BusinessResponse{})
	if push.GetType() != gatewayv1.PushType_PUSH_BUSINESS_DATA || r.GetCode() != 200 || r.GetMessage() != message || string(r.GetData()) != data {
		t.Errorf("got %v with %v, want 200 %q %q", push, r, message, data)
	}
}

// TestGatewayProtocol is what the published client does, over gRPC: login, echo, heartbeat, pushes to
// all three kinds of target, one before the login, a lost connection and the end.
func TestGatewayProtocol(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	p := Dialed(t, n.IM, "10001", nil)
	p.Begin(&gatewayv1.StartRequest{})
	if resp := tell(t, g, "session", p.Session, "early"); !resp.GetSuccess() {
		t.Errorf("a push before the login: %v", resp)
	}
	if e := read(t, p.Ask("echo", "x"), &gatewayv1.ErrorMessage{}); e.GetErrorCode() != 401 {
		t.Errorf("echo before the login: %v", e)
	}
	wantData(t, p.Ask("hello", ""), "welcome, 10001", "")
	wantData(t, p.Next(), "[m] early", "d")
	wantData(t, p.Ask("echo", "hi"), "success", "Echo: hi")
	p.Say(gatewayv1.RequestType_REQUEST_HEARTBEAT, 0, &gatewayv1.HeartbeatRequest{ClientTimestamp: 7})
	if beat := read(t, p.Next(), &gatewayv1.HeartbeatResponse{}); beat.GetClientTimestamp() != 7 || beat.GetServerTimestamp() == 0 {
		t.Errorf("heartbeat: %v", beat)
	}
	for _, target := range [][2]string{{"session", p.Session}, {"openid", "10001"}, {"gid", "10001"}} {
		if resp := tell(t, g, target[0], target[1], target[0]); !resp.GetSuccess() {
			t.Errorf("a push to %v: %v", target, resp)
		}
		push := p.Next()
		wantData(t, push, "["+"m] "+target[0], "d")
		if push.GetMsgId() != 0 || push.GetHeaders()["content"] != "c" {
			t.Errorf("a push to %v came as %v", target, push)
		}
	}

	id := p.Session
	p.Ack()
	p.Quiet = true
	for i := range 3 { // come, and are not acknowledged
		tell(t, g, "session", id, fmt.Sprint("missed ", i))
		p.Next()
	}
	p.Last -= 3
	p.cancel()
	n.eventually("the connection is seen to be lost", func() bool { return n.Metric("hermod_sessions", `state="detached"`) == 1 })
	tell(t, g, "gid", "10001", "missed 3")
	back := Dialed(t, n.IM, "10001", p)
	before := back.Begin(&gatewayv1.StartRequest{LastAckedSeqId: p.Last})
	if len(before) != 4 || back.Session != id || back.Headers["resumed"] != "true" {
		t.Errorf("back with %d frames on session %s (was %s), headers %v", len(before), back.Session, id, back.Headers)
	}
	for i, push := range before {
		wantData(t, push, fmt.Sprint("[m] missed ", i), "d")
		if push.GetSeqId() != p.Last+1+uint64(i) {
			t.Errorf("frame %d is numbered %d", i, push.GetSeqId())
		}
	}
	wantData(t, back.Ask("echo", "on"), "success", "Echo: on")
	wantData(t, back.Ask("hello", ""), "already logged in", "")

	back.Say(gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{})
	if code := back.Ended(); code != "4003" {
		t.Errorf("STOP ended with %q", code)
	}
	if resp := tell(t, g, "session", id, "late"); resp.GetSuccess() || resp.GetErrorCode() != "TARGET_NOT_FOUND" {
		t.Errorf("a push after STOP: %v", resp)
	}
}

// TestGatewayResync: a client that the node cannot bring up to date is told so and goes on, also after
// the node was killed.
func TestGatewayResync(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	p := Dialed(t, n.IM, "10001", nil)
	p.Begin(&gatewayv1.StartRequest{})
	p.Ask("hello", "")
	next := Dialed(t, n.IM, "10001", p)
	next.Begin(&gatewayv1.StartRequest{LastAckedSeqId: 1000})
	if next.Headers["resync"] != "true" || next.Session == p.Session {
		t.Errorf("headers %v, session %s after %s", next.Headers, next.Session, p.Session)
	}
	if code := p.Ended(); code != "4000" {
		t.Errorf("the older connection ended with %q", code)
	}
	if resp := tell(t, g, "session", p.Session, "to the older id"); !resp.GetSuccess() {
		t.Errorf("a push to the older id: %v", resp)
	}
	wantData(t, next.Next(), "[m] to the older id", "d")

	n.Kill()
	n.Boot()
	last := Dialed(t, n.IM, "10001", next)
	last.Begin(&gatewayv1.StartRequest{LastAckedSeqId: next.Last, ResumeTicket: next.Headers["resume-ticket"]})
	if last.Headers["resync"] != "true" || last.Last != 1 {
		t.Errorf("after kill -9: headers %v, frame %d", last.Headers, last.Last)
	}
	wantData(t, last.Ask("login", ""), "welcome, 10001", "")
}

// TestGatewayDevices: under each policy, who has to go is told to stay away.
func TestGatewayDevices(t *testing.T) {
	t.Parallel()
	join := func(n *Node, device, class string) *Player {
		p := Dialed(t, n.IM, "10001", nil)
		p.Begin(&gatewayv1.StartRequest{DeviceId: device, DeviceClass: class})
		return p
	}
	for _, policy := range []string{"replace", "allow", "class"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			n := Start(t, "gateway: {devices: {policy: "+policy+", max: 2}}")
			first := join(n, "a", "phone")
			second := join(n, "b", "desktop")
			if policy != "replace" {
				second.Ask("hello", "")
				first.Ask("hello", "")
				join(n, "c", "phone")
			}
			if code := first.Ended(); code != "4004" {
				t.Errorf("the first device ended with %q", code)
			}
			second.Ask("hello", "")
		})
	}
}

// TestGatewayTokens: START brings the token, or the stream does, and services choose nobody's gid.
func TestGatewayTokens(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef0123456789abcdef"
	n := Start(t, "auth: {mode: jwt, service_token: 0123456789abcdef, jwt: {keys: [{algorithm: HS256, secret: "+secret+"}]}}")
	refused := Dialed(t, n.IM, "alice", nil)
	refused.Say(gatewayv1.RequestType_REQUEST_START, 0, &gatewayv1.StartRequest{Openid: "alice", AuthToken: "default-token"})
	if resp := read(t, refused.Next(), &gatewayv1.StartResponse{}); resp.GetSuccess() || resp.GetError().GetErrorCode() != 401 {
		t.Errorf("a token that is none: %v", resp)
	}
	proof := strings.TrimPrefix(token(t, secret, "alice", time.Minute), "Bearer ")
	refused.Say(gatewayv1.RequestType_REQUEST_START, 0, &gatewayv1.StartRequest{Openid: "bob", AuthToken: proof})
	if resp := read(t, refused.Next(), &gatewayv1.StartResponse{}); resp.GetSuccess() || resp.GetError().GetErrorCode() != 403 {
		t.Errorf("somebody else's token: %v", resp)
	}
	alice := Dialed(t, n.IM, "alice", nil)
	alice.Begin(&gatewayv1.StartRequest{AuthToken: proof})
	alice.Ask("hello", "")
	header := Dialed(t, n.IM, "alice", nil, "authorization", "Bearer "+proof)
	header.Begin(&gatewayv1.StartRequest{})
	wantData(t, header.Ask("hello", ""), "welcome, alice", "")
}

// TestGatewayTokensAreRenewed: a gid that the login has assigned is no claim of the client's, so that a fresh token is
// good though it has none, or another one; somebody else's is not.
func TestGatewayTokensAreRenewed(t *testing.T) {
	t.Parallel()
	b := Serve(t, func(_ context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
		return &upstreamv1.UpstreamResponse{Code: 200, Message: r.GetAction(), Headers: map[string]string{"gid": "77"}}, nil
	})
	n := Start(t, jwtMode+fmt.Sprintf("upstream: {services: [{name: game, targets: [%q]}], routes: [{service: game}]}\n", b.Addr))
	fresh := func(user string, more ...any) string {
		return strings.TrimPrefix(token(t, secret, user, time.Hour, more...), "Bearer ")
	}
	alice := Dialed(t, n.IM, "alice", nil)
	alice.Begin(&gatewayv1.StartRequest{AuthToken: fresh("alice")})
	renew := func(with string) *gatewayv1.ServerPush {
		beat := &gatewayv1.ClientRequest{Type: gatewayv1.RequestType_REQUEST_HEARTBEAT, Headers: map[string]string{"authorization": with}}
		if err := alice.raw.Send(beat); err != nil {
			t.Fatal(err)
		}
		return alice.Next()
	}
	for _, when := range []string{"before the login", "after it"} {
		for _, good := range []string{fresh("alice"), "Bearer " + fresh("alice")} {
			if got := renew(good); got.GetType() != gatewayv1.PushType_PUSH_HEARTBEAT_RESP {
				t.Errorf("%s a fresh token is answered with %v", when, got)
			}
		}
		if got := renew(fresh("bob")); got.GetType() != gatewayv1.PushType_PUSH_ERROR || read(t, got, &gatewayv1.ErrorMessage{}).GetErrorCode() != 403 {
			t.Errorf("%s somebody else's token is answered with %v", when, got)
		}
		if when == "before the login" {
			alice.Ask("hello", "")
		}
	}
	if got := renew(fresh("alice", "gid", 5)); got.GetType() != gatewayv1.PushType_PUSH_HEARTBEAT_RESP {
		t.Errorf("a token with another gid than the login's is answered with %v", got)
	}
	if out, err := hermodctl(t, "sessions", "list", "--gid", "77", "--token", serviceToken, "--addr", n.Gateway); err != nil || !strings.Contains(out, alice.Session) {
		t.Errorf("the session has lost its gid: %v\n%s", err, out)
	}
}
