package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// bareService is the push API and the way to a business service, and nothing around them: a call
// finds the connections and queues an encoded frame, a request goes on to the upstream. There are no
// options, limits, outcomes but found or not, and no sessions that wait for their client.
type bareService struct {
	gatewayv1.UnimplementedGatewayServiceServer
	upstreamv1.UnimplementedUpstreamServiceServer

	web      *webLoop
	upstream upstreamv1.UpstreamServiceClient // nil: it answers by itself
	echo     echo
}

func serveBareService(ctx context.Context, lis net.Listener, web *webLoop, upstream string) error {
	s := &bareService{web: web}
	if upstream != "" {
		conn, err := grpc.NewClient("passthrough:///"+upstream, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // the process ends
		s.upstream = upstreamv1.NewUpstreamServiceClient(conn)
	}
	srv := grpc.NewServer()
	gatewayv1.RegisterGatewayServiceServer(srv, s)
	registerUpstream(srv, s)
	defer context.AfterFunc(ctx, srv.Stop)()
	return srv.Serve(lis)
}

// pushed encodes a push once for all of its receivers.
func pushed(msgType string, data []byte) ([]byte, error) {
	return webFrame(&imv1.MessageResponse{
		MessageId: "p", Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: data,
		Metadata: map[string]string{"msg_type": msgType}, Timestamp: timestamppb.Now(),
	})
}

// PushToClient implements GatewayServiceServer.
func (s *bareService) PushToClient(_ context.Context, req *gatewayv1.UnicastPushRequest) (*gatewayv1.UnicastPushResponse, error) {
	frame, err := pushed(req.GetMsgType(), req.GetData())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.UnicastPushResponse{Success: s.web.pushUser(req.GetTargetId(), frame)}, nil
}

// BatchPushToClients implements GatewayServiceServer.
func (s *bareService) BatchPushToClients(_ context.Context, req *gatewayv1.BatchUnicastPushRequest) (*gatewayv1.BatchUnicastPushResponse, error) {
	frame, err := pushed(req.GetMsgType(), req.GetData())
	if err != nil {
		return nil, err
	}
	resp := &gatewayv1.BatchUnicastPushResponse{TotalCount: int32(len(req.GetTargets()))}
	for _, t := range req.GetTargets() {
		found := s.web.pushUser(t.GetTargetId(), frame)
		if found {
			resp.SuccessCount++
		}
		resp.Results = append(resp.Results, &gatewayv1.UnicastResult{TargetType: t.GetTargetType(), TargetId: t.GetTargetId(), Success: found})
	}
	return resp, nil
}

// BroadcastToClients implements GatewayServiceServer.
func (s *bareService) BroadcastToClients(_ context.Context, req *gatewayv1.BroadcastRequest) (*gatewayv1.BroadcastResponse, error) {
	frame, err := pushed(req.GetMsgType(), req.GetData())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.BroadcastResponse{SentCount: int32(s.web.pushAll(frame))}, nil
}

// ProcessRequest implements UpstreamServiceServer.
func (s *bareService) ProcessRequest(ctx context.Context, req *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
	if s.upstream == nil {
		return s.echo.ProcessRequest(ctx, req)
	}
	return s.upstream.ProcessRequest(ctx, req)
}
