package bench

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// faulty is a room on a server that does with its tenth message what a test wants.
type faulty struct {
	imv1.UnimplementedIMServiceServer
	fault func(s *faulty, text *imv1.MessageResponse) error

	mu      sync.Mutex
	streams []grpc.BidiStreamingServer[imv1.MessageRequest, imv1.MessageResponse]
	count   int
	says    metadata.MD // the trailer of a stream that the fault ends
}

func (s *faulty) StreamMessages(stream grpc.BidiStreamingServer[imv1.MessageRequest, imv1.MessageResponse]) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	sends := slices.Contains(md.Get("capabilities"), "ack")
	for {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := s.handle(stream, req, sends); err != nil {
			return err
		}
	}
}

func (s *faulty) handle(stream grpc.BidiStreamingServer[imv1.MessageRequest, imv1.MessageResponse], req *imv1.MessageRequest, sends bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.GetType() == imv1.MessageType_MESSAGE_TYPE_HEARTBEAT {
		if !sends {
			s.streams = append(s.streams, stream)
		}
		return stream.Send(&imv1.MessageResponse{Type: req.GetType()})
	}
	s.count++
	text := &imv1.MessageResponse{Type: req.GetType(), Content: req.GetContent()}
	if s.count == 10 {
		if err := s.fault(s, text); err != nil {
			stream.SetTrailer(s.says)
			return err
		}
	} else if err := s.publish(text); err != nil {
		return err
	}
	return stream.Send(&imv1.MessageResponse{
		Type:    imv1.MessageType_MESSAGE_TYPE_ACK,
		Content: encode(&imv1.AckContent{OriginalMessageId: strconv.Itoa(s.count - 1), Success: true}),
	})
}

func (s *faulty) publish(text *imv1.MessageResponse) error {
	for _, other := range s.streams {
		if err := other.Send(text); err != nil {
			return err
		}
	}
	return nil
}

// TestRunNotices what a server does wrong, and counts it.
func TestRunNotices(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault func(s *faulty, text *imv1.MessageResponse) error
		want  map[string]int64
	}{
		"nothing":                      {func(s *faulty, text *imv1.MessageResponse) error { return s.publish(text) }, map[string]int64{}},
		"a message lost for all three": {func(*faulty, *imv1.MessageResponse) error { return nil }, map[string]int64{"lost": 3}},
		"one twice": {func(s *faulty, text *imv1.MessageResponse) error {
			if err := s.publish(text); err != nil {
				return err
			}
			return s.publish(text)
		}, map[string]int64{"repeated or out of order": 3}},
		"one out of nowhere": {func(s *faulty, text *imv1.MessageResponse) error {
			stranger, _ := readStamp(text.Content, readRun(text.Content), len(text.Content))
			stranger.sender = 9
			if err := s.publish(text); err != nil {
				return err
			}
			return s.publish(&imv1.MessageResponse{Type: text.Type, Content: stranger.payload(len(text.Content))})
		}, map[string]int64{"misdelivered": 3}},
		"the sender thrown out": {func(*faulty, *imv1.MessageResponse) error {
			return status.Error(codes.Aborted, "go away")
		}, map[string]int64{"status Aborted": 1}},
		"the sender told why": {func(s *faulty, _ *imv1.MessageResponse) error {
			s.says = metadata.Pairs("disconnect-code", "3001", "disconnect-reason", "too slow")
			return status.Error(codes.Canceled, "whatever the reason")
		}, map[string]int64{"closed 3001 too slow": 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lis, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			srv := grpc.NewServer()
			imv1.RegisterIMServiceServer(srv, &faulty{fault: tt.fault})
			served := make(chan error, 1)
			go func() { served <- srv.Serve(lis) }()
			defer func() {
				srv.Stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
			}()
			p := goodPlan()
			p.Rooms, p.Addr, p.Rate, p.Duration = 1, lis.Addr().String(), 200, time.Hour
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			phases, sent := map[string]bool{}, int64(0)
			r, err := Run(ctx, p, func(p Progress) {
				phases[p.Phase] = true
				if n := p.Counts.Sent; n >= 30 || n == sent && n >= 10 { // one that was thrown out has sent 10
					stop()
				}
				sent = p.Counts.Sent
			})
			if err != nil {
				t.Fatal(err)
			}
			if !phases[phaseMeasuring] {
				t.Errorf("it told of %v only", phases)
			}
			got := map[string]int64{}
			for _, e := range r.Errors {
				got[e.Kind] = e.Count
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("wrong was %v, want %v", r.Errors, tt.want)
			}
			if n := r.Total; n.Sent < 10 || n.Missing != tt.want["lost"] || n.Expected-n.Delivered != n.Missing {
				t.Errorf("%+v", n)
			}
		})
	}
}

// readRun is the run that a payload is of.
func readRun(payload []byte) uint64 {
	s, _ := readStamp(payload, 0, len(payload))
	return s.run
}

// TestRunWithoutServer says what is the matter, and for which client.
func TestRunWithoutServer(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	for _, transport := range []Transport{GRPC, WebSocket} {
		p := goodPlan()
		p.Addr, p.Transport = lis.Addr().String(), transport
		if r, err := Run(t.Context(), p, nil); err == nil {
			t.Errorf("%s: got %+v", transport, r)
		}
	}
}
