package server_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// TestClientServiceIsForClients: it is on their listener alone, and a node that is not serving takes
// nobody in.
func TestClientServiceIsForClients(t *testing.T) {
	t.Parallel()
	b := start(t)
	stream, err := gatewayv1.NewClientServiceClient(b.im).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantRefused(t, err, codes.Unavailable, "NOT_SERVING")
	b.ready.SetServing(true)
	if stream, err = gatewayv1.NewClientServiceClient(b.gateway).Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); status.Code(err) != codes.Unimplemented {
		t.Errorf("on the listener of services: %v", err)
	}
}

// TestClientServiceKnowsWhoOpensIt: metadata goes before what START says.
func TestClientServiceKnowsWhoOpensIt(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	stream, err := gatewayv1.NewClientServiceClient(b.im).Connect(as(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	for _, openid := range []string{"bob", "alice"} {
		payload, err := proto.Marshal(&gatewayv1.StartRequest{Openid: openid})
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&gatewayv1.ClientRequest{MsgId: 1, Type: gatewayv1.RequestType_REQUEST_START, Payload: payload}); err != nil {
			t.Fatal(err)
		}
		push, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		resp := &gatewayv1.StartResponse{}
		if err := proto.Unmarshal(push.GetPayload(), resp); err != nil || resp.GetSuccess() != (openid == "alice") {
			t.Errorf("%s: %v, %v", openid, resp, err)
		}
	}
}
