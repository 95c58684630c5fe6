package e2e

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// Player is a client of the gateway protocol over gRPC. Like the published one it counts its requests
// and acknowledges each frame as it comes, unless Quiet is set.
type Player struct {
	t      *testing.T
	raw    grpc.BidiStreamingClient[gatewayv1.ClientRequest, gatewayv1.ServerPush]
	cancel context.CancelFunc
	pushes chan *gatewayv1.ServerPush // closed at the end
	err    error                      // valid once pushes is closed

	Quiet   bool
	Openid  string
	Session string // connection_id
	Headers map[string]string
	Last    uint64 // the last frame that came
	msgID   uint32
	seq     uint64
}

// Dialed opens a connection for a client, new or with what from has kept, and says nothing yet.
func Dialed(t *testing.T, addr, openid string, from *Player, pairs ...string) *Player {
	t.Helper()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), pairs...))
	t.Cleanup(cancel)
	raw, err := gatewayv1.NewClientServiceClient(Dial(t, addr)).Connect(ctx, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	p := &Player{t: t, raw: raw, cancel: cancel, pushes: make(chan *gatewayv1.ServerPush, 1000), Openid: openid}
	if from != nil {
		p.Last, p.msgID, p.seq = from.Last, from.msgID, from.seq
	}
	go func() {
		defer close(p.pushes)
		for {
			push, err := raw.Recv()
			if err != nil {
				p.err = err
				return
			}
			p.pushes <- push
		}
	}()
	return p
}

// Say sends a request and returns its msg_id.
func (p *Player) Say(kind gatewayv1.RequestType, seq uint64, m proto.Message) uint32 {
	p.t.Helper()
	payload, err := proto.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.msgID++
	err = p.raw.Send(&gatewayv1.ClientRequest{MsgId: p.msgID, SeqId: seq, Type: kind, Payload: payload, Openid: p.Openid})
	if err != nil && !errors.Is(err, io.EOF) {
		p.t.Fatal(err)
	}
	return p.msgID
}

// Ack acknowledges every frame that came.
func (p *Player) Ack() {
	p.t.Helper()
	p.Say(gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: p.Last})
}

// Next returns the next frame, whose number must be the next one.
func (p *Player) Next() *gatewayv1.ServerPush {
	p.t.Helper()
	select {
	case push, ok := <-p.pushes:
		if !ok {
			p.t.Fatalf("the stream has ended: %v", p.err)
		}
		if push.GetSeqId() != p.Last+1 {
			p.t.Fatalf("frame %d after %d: %v", push.GetSeqId(), p.Last, push)
		}
		p.Last++
		if !p.Quiet {
			p.Ack()
		}
		return push
	case <-time.After(patience):
		p.t.Fatal("no frame came")
	}
	return nil
}

// Ended waits for the end of the stream and returns the disconnect code, if it has one.
func (p *Player) Ended() string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, ok := <-p.pushes:
			if ok {
				continue
			}
			if code := p.raw.Trailer().Get("disconnect-code"); len(code) > 0 {
				return code[0]
			}
			return ""
		case <-deadline:
			p.t.Fatal("the stream does not end")
		}
	}
}

// Begin sends START and returns the frames that came before its answer.
func (p *Player) Begin(start *gatewayv1.StartRequest) (before []*gatewayv1.ServerPush) {
	p.t.Helper()
	start.Openid = p.Openid
	if start.GetAuthToken() == "" {
		start.AuthToken = "default-token"
	}
	id := p.Say(gatewayv1.RequestType_REQUEST_START, 0, start)
	if start.GetLastAckedSeqId() == 0 {
		p.Last = 0
	}
	for {
		push := <-p.pushes
		if push == nil {
			p.t.Fatalf("the stream has ended: %v", p.err)
		}
		if push.GetMsgId() != id {
			before = append(before, push)
			continue
		}
		resp := read(p.t, push, &gatewayv1.StartResponse{})
		if !resp.GetSuccess() {
			p.t.Fatalf("START was refused: %v", resp)
		}
		p.Session, p.Headers, p.Last = resp.GetConnectionId(), push.GetHeaders(), push.GetSeqId()
		if !p.Quiet {
			p.Ack()
		}
		return before
	}
}

// Ask sends a business request with the next number, and returns the answer, which must be the next
// frame.
func (p *Player) Ask(action, data string) *gatewayv1.ServerPush {
	p.t.Helper()
	p.seq++
	id := p.Say(gatewayv1.RequestType_REQUEST_BUSINESS, p.seq, &gatewayv1.BusinessRequest{Action: action, Data: []byte(data)})
	push := p.Next()
	if push.GetMsgId() != id {
		p.t.Fatalf("the answer to %s is %v", action, push)
	}
	return push
}

// read decodes what a frame carries.
func read[T proto.Message](t *testing.T, push *gatewayv1.ServerPush, into T) T {
	t.Helper()
	if err := proto.Unmarshal(push.GetPayload(), into); err != nil {
		t.Fatalf("the payload of %v: %v", push, err)
	}
	return into
}
