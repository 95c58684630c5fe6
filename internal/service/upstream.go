package service

import (
	"context"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// RegisterUpstream implements gatewayv1.GatewayServiceServer.
func (s *Gateway) RegisterUpstream(_ context.Context, req *gatewayv1.UpstreamRegisterRequest) (*gatewayv1.UpstreamRegisterResponse, error) {
	lease, err := s.services.Register(biz.Registration{
		Service: req.GetServiceName(), Address: req.GetAddress(), Zone: req.GetZoneId(),
		Lease: time.Duration(req.GetLeaseSeconds()) * time.Second, Current: req.GetCurrent(),
	})
	if err != nil {
		wrong := biz.AsError(err)
		return &gatewayv1.UpstreamRegisterResponse{Message: wrong.Text, ErrorCode: wrong.Reason}, nil
	}
	return &gatewayv1.UpstreamRegisterResponse{
		Success: true, Message: "registered", LeaseSeconds: int32(lease / time.Second),
	}, nil
}

// DeregisterUpstream implements gatewayv1.GatewayServiceServer.
func (s *Gateway) DeregisterUpstream(_ context.Context, req *gatewayv1.UpstreamDeregisterRequest) (*gatewayv1.UpstreamDeregisterResponse, error) {
	s.services.Deregister(req.GetServiceName(), req.GetAddress())
	return &gatewayv1.UpstreamDeregisterResponse{}, nil
}
