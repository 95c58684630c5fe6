package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

const (
	secret       = "a secret that is long enough for HS256"
	serviceToken = "a-token-for-services"
)

var jwtMode = fmt.Sprintf(`
auth:
  mode: jwt
  service_token: %s
  expiry_grace: 1s
  jwt:
    leeway: 0s
    keys:
      - algorithm: HS256
        secret: %s
`, serviceToken, secret)

// token returns an authorization for a user, with more claims in pairs.
func token(t *testing.T, key, user string, life time.Duration, more ...any) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": user, "exp": jwt.NewNumericDate(time.Now().Add(life))}
	for i := 0; i+1 < len(more); i += 2 {
		claims[more[i].(string)] = more[i+1]
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + signed
}

// TestTokens: with auth.mode jwt nobody does anything without a token, or in another's name.
func TestTokens(t *testing.T) {
	t.Parallel()
	n := Start(t, jwtMode)
	im := n.Calls()
	alice := token(t, secret, "alice", time.Hour)
	calls := map[string]func(context.Context, string) error{
		"JoinRoom": func(ctx context.Context, user string) error {
			_, err := im.JoinRoom(ctx, &imv1.JoinRoomRequest{UserId: user, RoomId: "room"})
			return err
		},
		"SendMessage": func(ctx context.Context, user string) error {
			_, err := im.SendMessage(ctx, &imv1.SendMessageRequest{UserId: user, RoomId: "room", Type: text})
			return err
		},
		"GetRoomInfo": func(ctx context.Context, user string) error {
			_, err := im.GetRoomInfo(ctx, &imv1.GetRoomInfoRequest{UserId: user, RoomId: "room"})
			return err
		},
		"LeaveRoom": func(ctx context.Context, user string) error {
			_, err := im.LeaveRoom(ctx, &imv1.LeaveRoomRequest{UserId: user, RoomId: "room"})
			return err
		},
		"StreamMessages": func(ctx context.Context, user string) error {
			s, err := im.StreamMessages(ctx)
			if err != nil {
				return err
			}
			_ = s.Send(heartbeat(user, "")) // when it was refused already, Recv says why
			if _, err = s.Recv(); err == nil {
				err = s.CloseSend()
			}
			return err
		},
	}
	for _, method := range []string{"JoinRoom", "SendMessage", "GetRoomInfo", "StreamMessages", "LeaveRoom"} {
		call := calls[method]
		for what, authorization := range map[string]string{
			"no token":      "",
			"another key":   token(t, strings.Repeat("x", 40), "alice", time.Hour),
			"expired":       token(t, secret, "alice", -time.Minute),
			"not one":       "Bearer nonsense",
			"service token": "Bearer " + serviceToken,
			"another kind":  "Basic YWxpY2U6",
		} {
			ctx := metadata.AppendToOutgoingContext(within(t), "user-id", "alice")
			if authorization != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
			}
			refused(t, method+" with "+what, call(ctx, "alice"), codes.Unauthenticated, "UNAUTHENTICATED")
		}
		if method != "StreamMessages" { // says it per message, below
			refused(t, method+" for another", call(with(t, "authorization", alice), "bob"), codes.PermissionDenied, "FOREIGN_USER")
		}
		for _, user := range []string{"alice", ""} {
			if err := call(with(t, "authorization", alice), user); err != nil {
				t.Errorf("%s as %q with a token: %v", method, user, err)
			}
		}
	}
	err := calls["JoinRoom"](with(t, "authorization", alice, "user-id", "bob"), "")
	if err == nil {
		t.Error("metadata user-id overrides the token")
	}
	if _, err := im.HealthCheck(within(t), &imv1.HealthCheckRequest{}); err != nil {
		t.Errorf("HealthCheck without a token: %v", err)
	}
}

// TestTokenOnAStream: another's name in a message is refused, the stream goes on; a service may
// act for anybody.
func TestTokenOnAStream(t *testing.T) {
	t.Parallel()
	n := Start(t, jwtMode)
	s := n.Connect(Hello{Room: "room", Authorization: token(t, secret, "alice", time.Hour)})
	s.Send(&imv1.MessageRequest{MessageId: "1", UserId: "bob", Type: text})
	if f := s.Next(); f.Ack(t).GetSuccess() || f.GetMetadata()["reason"] != "FOREIGN_USER" {
		t.Errorf("in bob's name: %v", f)
	}
	service := token(t, secret, "backend", time.Hour, "roles", []string{"service"})
	im := n.Calls()
	ctx := with(t, "authorization", service)
	for _, user := range []string{"bob", "carol"} {
		if _, err := im.JoinRoom(ctx, &imv1.JoinRoomRequest{UserId: user, RoomId: "room"}); err != nil {
			t.Errorf("a service for %s: %v", user, err)
		}
	}
	resp, err := im.SendMessage(ctx, &imv1.SendMessageRequest{UserId: "bob", RoomId: "room", Type: text, Content: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	f := s.Until("the message", func(f Frame) bool { return f.GetMessageId() == resp.GetMessageId() })
	if f.GetFromUserId() != "bob" {
		t.Errorf("from %s", f.GetFromUserId())
	}
}

// TestTokenExpires: a session ends a while after its token, unless heartbeats bring fresh ones.
func TestTokenExpires(t *testing.T) {
	t.Parallel()
	n := Start(t, jwtMode)
	short := func(user string) string { return token(t, secret, user, 1500*time.Millisecond) }
	ends := n.Connect(Hello{Room: "room", Authorization: short("alice")})
	lives := n.Connect(Hello{Room: "room", Authorization: short("bob")})
	beat := func(s *Stream, authorization string) {
		s.Send(&imv1.MessageRequest{
			Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: map[string]string{"authorization": authorization},
		})
	}
	// A bad token changes nothing: neither another's nor one that has expired.
	for _, bad := range []string{token(t, secret, "carol", time.Hour), token(t, secret, "bob", -time.Hour), "nonsense"} {
		beat(lives, bad)
		f := lives.Until("an answer", func(f Frame) bool { return f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK })
		if f.Ack(t).GetSuccess() || f.GetMetadata()["reason"] == "" {
			t.Errorf("a bad token: %v", f)
		}
	}
	beat(lives, token(t, secret, "bob", time.Hour))
	if f := lives.Next(); f.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT {
		t.Errorf("a good token: %v", f)
	}
	started := time.Now()
	ends.Disconnected("3002")
	if took := time.Since(started); took < time.Second {
		t.Errorf("closed after %s, before the grace was over", took)
	}
	if rest := lives.Flush(); len(rest) > 0 {
		t.Errorf("the refreshed one: %v", rest)
	}
}

// TestServiceToken: the gateway port is for services.
func TestServiceToken(t *testing.T) {
	t.Parallel()
	n := Start(t, jwtMode)
	conn := Dial(t, n.Gateway)
	req := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice"}
	for _, name := range []string{"hermod.gateway.v1.GatewayService", "gatesvr.proto.GatewayService"} {
		push := func(ctx context.Context) error {
			return conn.Invoke(ctx, "/"+name+"/PushToClient", req, &gatewayv1.UnicastPushResponse{})
		}
		refused(t, name+" without a token", push(within(t)), codes.Unauthenticated, "UNAUTHENTICATED")
		refused(t, name+" with a wrong one", push(with(t, "authorization", "Bearer nonsense-nonsense")), codes.Unauthenticated, "UNAUTHENTICATED")
		refused(t, name+" with a user's", push(with(t, "authorization", token(t, secret, "alice", time.Hour))), codes.PermissionDenied, "PERMISSION_DENIED")
		if err := push(with(t, "authorization", "Bearer "+serviceToken)); err != nil {
			t.Errorf("%s with the service token: %v", name, err)
		}
		if err := push(with(t, "authorization", token(t, secret, "backend", time.Hour, "roles", []string{"service"}))); err != nil {
			t.Errorf("%s with a token that has the role service: %v", name, err)
		}
	}
}

// TestTrusted believes names, but not services without the token.
func TestTrusted(t *testing.T) {
	t.Parallel()
	n := Start(t, "auth:\n  mode: trusted\n  service_token: "+serviceToken+"\n")
	alice := n.Connect(Hello{User: "alice", Room: "room"})
	req := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice"}
	_, err := n.Pushes().PushToClient(within(t), req)
	refused(t, "a push without the token", err, codes.Unauthenticated, "UNAUTHENTICATED")
	if resp, err := n.Pushes().PushToClient(with(t, "authorization", "Bearer "+serviceToken), req); err != nil || !resp.GetSuccess() {
		t.Errorf("a push with the token: %v, %v", resp, err)
	}
	alice.Next()
}

// TestRefusedAtStart: a configuration that is wrong or dangerous is refused, by the path of its key.
func TestRefusedAtStart(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		yaml string
		args []string
		says []string
	}{
		"dev on every interface": {"server:\n  im:\n    addr: 0.0.0.0:0\n", nil, []string{"server.im.addr", "auth.mode dev", "jwt"}},
		"the same by a flag":     {"", []string{"-grpc", "0.0.0.0:0"}, []string{"server.gateway.addr", "-grpc", "auth.mode dev"}},
		"unknown key":            {"sesion:\n  heartbeat: 30s\n", nil, []string{"sesion", "session"}},
		"unknown key below":      {"session:\n  heart_beat: 30s\n", nil, []string{"session.heart_beat", "heartbeat"}},
		"impossible value":       {"session:\n  heartbeat: 1ms\n", nil, []string{"session.heartbeat", "5s"}},
		"no number":              {"room:\n  max_per_user: many\n", nil, []string{"room.max_per_user", "many"}},
		"jwt without a key":      {"auth:\n  mode: jwt\n  service_token: " + serviceToken + "\n", nil, []string{"auth.jwt", "keys"}},
		"short service token":    {"auth:\n  mode: trusted\n  service_token: shorty\n", nil, []string{"auth.service_token", "16"}},
		"unknown mode":           {"auth:\n  mode: none\n  service_token: " + serviceToken + "\n", nil, []string{"none"}},
		"no such file":           {"", []string{"-conf", "nowhere.yaml"}, []string{"nowhere.yaml"}},
		"unknown flag":           {"", []string{"-port", "1"}, []string{"-port"}},
		"argument":               {"", []string{"run"}, []string{"run"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n := Prepare(t, c.yaml)
			if what == "dev on every interface" {
				n.Args = n.Args[2:] // without -im, which would override it
			}
			n.Args = append(n.Args, c.args...)
			code, output := n.fails()
			if code != 2 {
				t.Errorf("exit code %d:\n%s", code, output)
			}
			for _, want := range c.says {
				if !strings.Contains(output, want) {
					t.Errorf("does not say %q:\n%s", want, output)
				}
			}
			if what == "short service token" && strings.Contains(output, "shorty") {
				t.Errorf("shows the token:\n%s", output)
			}
		})
	}
}
