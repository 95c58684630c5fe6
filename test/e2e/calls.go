package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// text is the type of most messages in tests.
const text = imv1.MessageType_MESSAGE_TYPE_TEXT

// Dial returns a connection that lasts until the test ends, and comes back fast when the node does.
func Dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 100 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil && status.Code(err) != codes.Canceled {
			t.Error(err)
		}
	})
	return conn
}

// Calls returns a stub of IMService on a connection of its own.
func (n *Node) Calls() imv1.IMServiceClient {
	n.t.Helper()
	return imv1.NewIMServiceClient(Dial(n.t, n.IM))
}

// Pushes returns a stub of GatewayService on a connection of its own.
func (n *Node) Pushes() gatewayv1.GatewayServiceClient {
	n.t.Helper()
	return gatewayv1.NewGatewayServiceClient(Dial(n.t, n.Gateway))
}

// within returns a context for one step of the test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// with returns a context with request metadata.
func with(t *testing.T, pairs ...string) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(within(t), pairs...)
}

// join makes users members of a room, in this order.
func join(t *testing.T, im imv1.IMServiceClient, room string, users ...string) {
	t.Helper()
	for _, user := range users {
		resp, err := im.JoinRoom(within(t), &imv1.JoinRoomRequest{UserId: user, RoomId: room})
		if err != nil {
			t.Fatalf("%s joins %s: %v", user, room, err)
		}
		if resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 || resp.GetRoomInfo() == nil {
			t.Fatalf("%s joins %s: status %v, room %v", user, room, resp.GetStatus(), resp.GetRoomInfo())
		}
	}
}

// say sends texts to a room, one after another, and returns the answer to the last one.
func say(t *testing.T, im imv1.IMServiceClient, room, user string, contents ...string) *imv1.SendMessageResponse {
	t.Helper()
	var resp *imv1.SendMessageResponse
	for _, content := range contents {
		var err error
		resp, err = im.SendMessage(within(t), &imv1.SendMessageRequest{UserId: user, RoomId: room, Type: text, Content: []byte(content)})
		if err != nil {
			t.Fatalf("%s says %q in %s: %v", user, content, room, err)
		}
		if resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 {
			t.Fatalf("%s says %q in %s: status %v", user, content, room, resp.GetStatus())
		}
	}
	return resp
}

// info describes a room to a member.
func info(t *testing.T, im imv1.IMServiceClient, room, user string) *imv1.GetRoomInfoResponse {
	t.Helper()
	resp, err := im.GetRoomInfo(within(t), &imv1.GetRoomInfoRequest{UserId: user, RoomId: room})
	if err != nil {
		t.Fatalf("%s asks about %s: %v", user, room, err)
	}
	if resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 || resp.GetRoomInfo() == nil {
		t.Fatalf("%s asks about %s: status %v, room %v", user, room, resp.GetStatus(), resp.GetRoomInfo())
	}
	return resp
}

// reasonOf returns the reason that a gRPC error carries.
func reasonOf(err error) string {
	st, _ := status.FromError(err) // any other error has no details
	for _, d := range st.Details() {
		if i, ok := d.(*errdetails.ErrorInfo); ok {
			return i.GetReason()
		}
	}
	return ""
}

// refused checks that a call was refused in the right way, with words that a person can read.
func refused(t *testing.T, what string, err error, code codes.Code, reason string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error; want %v %s", what, code, reason)
	case status.Code(err) != code || reasonOf(err) != reason:
		t.Errorf("%s: %v, reason %q; want %v %s", what, err, reasonOf(err), code, reason)
	case status.Convert(err).Message() == "":
		t.Errorf("%s: %v without words", what, code)
	}
}

// isGone tells whether an error says no more than that the node is not there.
func isGone(err error) bool {
	return status.Code(err) == codes.Unavailable || errors.Is(err, context.Canceled)
}
