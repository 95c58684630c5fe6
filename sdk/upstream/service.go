package upstream

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// publishedName is what UpstreamService was called first.
const publishedName = "gatesvr.proto.UpstreamService"

// Register has a gRPC server, Kratos' or a plain one, serve the mux as UpstreamService under both of
// its names. Interceptors and Kratos middleware see calls to either as hermod.upstream.v1's. It is called
// once, before the server serves. Kratos ends calls after a second unless its server is told otherwise.
func (m *Mux) Register(s grpc.ServiceRegistrar) {
	impl := &service{mux: m, since: time.Now()}
	upstreamv1.RegisterUpstreamServiceServer(s, impl)
	published := upstreamv1.UpstreamService_ServiceDesc
	published.ServiceName = publishedName
	s.RegisterService(&published, impl)
}

// service is a mux as gateways see it.
type service struct {
	upstreamv1.UnimplementedUpstreamServiceServer
	mux   *Mux
	since time.Time
}

// ProcessRequest implements UpstreamService.
func (s *service) ProcessRequest(ctx context.Context, m *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
	s.mux.active.Add(1)
	defer s.mux.active.Add(-1)
	r := readRequest(m)
	resp, err := s.mux.Serve(ctx, r)
	if err != nil {
		answer, failure := settle(err)
		if failure != nil {
			s.report(r, err, failure)
			return nil, failure
		}
		resp = answer
	}
	if resp == nil {
		resp = &Response{}
	}
	return resp.write(m.GetClientSeqId()), nil
}

// report logs what the gateway is not told.
func (s *service) report(r *Request, err, failure error) {
	if !chosen(err) && status.Code(failure) != codes.Canceled {
		s.mux.log().Error("a request failed", "action", r.Action, "session", r.Session, "error", err)
	}
}

// GetStatus implements UpstreamService. Its active_connections are requests that are being answered.
func (s *service) GetStatus(ctx context.Context, _ *upstreamv1.StatusRequest) (*upstreamv1.StatusResponse, error) {
	resp := &upstreamv1.StatusResponse{
		Status: "healthy", Uptime: int64(time.Since(s.since).Seconds()), ActiveConnections: s.mux.active.Load(),
	}
	if s.mux.Health != nil {
		if err := s.mux.Health(ctx); err != nil {
			resp.Status = err.Error()
		}
	}
	return resp, nil
}
