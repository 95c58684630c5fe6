package hermod

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin"
)

// guarded is a linked plugin: nobody joins the cellar, mallory says nothing, and only bob is pushed to.
type guarded struct{}

func (guarded) Name() string { return "guarded" }

func (guarded) Authorize(_ context.Context, a plugin.Access) error {
	switch {
	case a.Kind == plugin.Join && a.RoomID == "cellar":
		return plugin.PermissionDenied("nobody goes down there")
	case a.Kind == plugin.Send && a.UserID == "mallory":
		return plugin.PermissionDenied("not a word as %s", a.Role)
	case a.Kind == plugin.Push && a.Target != plugin.Target{Kind: plugin.User, ID: "bob"}:
		return plugin.Refused("only bob")
	}
	return nil
}

// TestLinkedAuthorizer: a node asks it about joining, speaking and pushing, over the wire and by streams that join
// on their own, and its reason is what callers are told.
func TestLinkedAuthorizer(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	p := startWith(t, []plugin.Plugin{guarded{}}, configured(t, "plugins: [{name: guarded}]")...)
	p.join(t, "mallory")
	p.join(t, "bob")
	denied := func(what string, err error, says string) {
		t.Helper()
		if s := status.Convert(err); s.Code() != codes.PermissionDenied || s.Message() != says {
			t.Errorf("%s: got %v", what, err)
		}
	}
	_, err := p.im.JoinRoom(as(t, "bob"), &imv1.JoinRoomRequest{RoomId: "cellar"})
	denied("join", err, "nobody goes down there")
	stream, err := p.im.StreamMessages(as(t, "bob", "room-id", "cellar"))
	if err == nil {
		_, err = stream.Recv()
	}
	denied("stream", err, "nobody goes down there")
	_, err = p.im.SendMessage(as(t, "mallory"), &imv1.SendMessageRequest{RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("hi")})
	denied("send", err, "not a word as admin")
	p.send(t, "bob", "hi")

	resp, err := p.gateway.BatchPushToClients(as(t, ""), &gatewayv1.BatchUnicastPushRequest{MsgType: "m", Targets: []*gatewayv1.UnicastTarget{
		{TargetType: "openid", TargetId: "bob"}, {TargetType: "openid", TargetId: "alice"},
	}})
	if err != nil || resp.GetResults()[0].GetErrorCode() != "TARGET_OFFLINE" || resp.GetResults()[1].GetErrorCode() != "NOT_AUTHORIZED" ||
		resp.GetResults()[1].GetMessage() != "only bob" {
		t.Errorf("got %v, %v", resp, err)
	}
	_, err = p.gateway.BroadcastToClients(as(t, ""), &gatewayv1.BroadcastRequest{MsgType: "m"})
	denied("broadcast", err, "only bob")
}
