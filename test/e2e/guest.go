package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// errCut is what is asked over a connection that ends before the answer.
var errCut = errors.New("the connection has ended")

// refusal is an ERROR.
type refusal struct{ *gatewayv1.ErrorMessage }

func (r refusal) Error() string { return fmt.Sprint(r.ErrorMessage) }

// Guest is a member of a room over a gateway session, and does what an application does: it
// acknowledges each frame, drops what it has had, and comes back over any transport.
type Guest struct {
	t    *testing.T
	n    *Node
	quic string // where the node serves QUIC
	user string

	asking sync.Mutex // requests are numbered in the order in which they are written

	mu      sync.Mutex
	line    *line
	lost    chan struct{} // closed when nothing more comes over line
	started chan *gatewayv1.ServerPush
	waiting map[uint32]chan *gatewayv1.ServerPush
	ticket  string
	last    uint64 // the last frame that it has
	msgID   uint32
	seq     uint64
	places  []place // of the room, as they came; one's own are those of the answers
	faults  []string
}

// place is one in the room.
type place struct {
	seq  int64
	said string // empty: by this guest himself
}

func newGuest(t *testing.T, n *Node, quic, user string) *Guest {
	t.Helper()
	g := &Guest{t: t, n: n, quic: quic, user: user, waiting: map[uint32]chan *gatewayv1.ServerPush{}}
	t.Cleanup(g.cut)
	return g
}

// come opens a connection and begins, or takes up, the session. It tells whether the session went on;
// a new one is logged in and follows all rooms.
func (g *Guest) come(ctx context.Context, transport string) (resumed bool, err error) {
	l, err := g.n.line(g.t, transport, g.quic)
	if err != nil {
		return false, err
	}
	g.mu.Lock()
	g.line, g.lost, g.started = l, make(chan struct{}), make(chan *gatewayv1.ServerPush, 1)
	lost, started := g.lost, g.started
	start := &gatewayv1.StartRequest{Openid: g.user, DeviceId: "a device", LastAckedSeqId: g.last, ResumeTicket: g.ticket}
	g.mu.Unlock()
	go g.listen(l, lost)
	if err := l.send(&gatewayv1.ClientRequest{MsgId: 1 << 31, Type: gatewayv1.RequestType_REQUEST_START}, start); err != nil {
		return false, err
	}
	select {
	case push := <-started:
		if resumed = push.GetHeaders()["resumed"] == "true"; resumed {
			return true, nil
		}
	case <-lost:
		return false, errCut
	case <-ctx.Done():
		return false, ctx.Err()
	}
	for _, action := range []string{"hello", "im.open"} {
		if err := g.ask(ctx, action, nil); err != nil {
			return false, fmt.Errorf("%s: %w", action, err)
		}
	}
	return false, nil
}

// cut loses the connection, and waits until nothing more comes from it.
func (g *Guest) cut() {
	g.mu.Lock()
	l, lost := g.line, g.lost
	g.mu.Unlock()
	if l != nil {
		l.cut()
		<-lost
	}
}

func (g *Guest) listen(l *line, lost chan struct{}) {
	defer close(lost)
	for {
		push, err := l.next()
		if err != nil {
			l.cut()
			return
		}
		if number := g.take(l, push); number > 0 {
			ack := &gatewayv1.ClientAck{AckedSeqId: number}
			_ = l.send(&gatewayv1.ClientRequest{Type: gatewayv1.RequestType_REQUEST_ACK}, ack) // read fails if the connection is gone
		}
	}
}

// take deals with a frame and returns up to which number it has them all.
func (g *Guest) take(l *line, push *gatewayv1.ServerPush) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if push.GetType() == gatewayv1.PushType_PUSH_START_RESP {
		if push.GetHeaders()["resumed"] != "true" {
			g.last = push.GetSeqId() - 1
		}
		g.ticket = push.GetHeaders()["resume-ticket"]
		g.started <- push
	}
	switch number := push.GetSeqId(); {
	case number <= g.last:
		return g.last // again
	case number != g.last+1:
		g.faults = append(g.faults, fmt.Sprintf("frame %d after %d", number, g.last))
	}
	g.last = push.GetSeqId()
	if push.GetType() == gatewayv1.PushType_PUSH_BUSINESS_DATA {
		if err := g.notePlace(l, push); err != nil {
			g.faults = append(g.faults, err.Error())
		}
	}
	if wait := g.waiting[push.GetMsgId()]; wait != nil {
		wait <- push
	}
	return g.last
}

// notePlace notes what has a place in the room.
func (g *Guest) notePlace(l *line, push *gatewayv1.ServerPush) error {
	resp := &gatewayv1.BusinessResponse{}
	if err := l.unmarshal(push.GetPayload(), resp); err != nil {
		return err
	}
	switch push.GetHeaders()["data_type"] {
	case "im.v1.MessageResponse":
		m := &imv1.MessageResponse{}
		if err := l.unmarshal(resp.GetData(), m); err != nil {
			return err
		}
		if m.GetType() == text {
			g.places = append(g.places, place{m.GetSeq(), string(m.GetContent())})
		}
	case "im.v1.SendMessageResponse":
		sent := &imv1.SendMessageResponse{}
		if err := l.unmarshal(resp.GetData(), sent); err != nil {
			return err
		}
		g.places = append(g.places, place{seq: sent.GetSeq()})
	}
	return nil
}

// ask sends a business request and waits for its answer: code 200, or an error.
func (g *Guest) ask(ctx context.Context, action string, req proto.Message) error {
	return g.asked(ctx, action, req, nil)
}

// asked is ask for whoever wants to see the answer, in into if that is not nil.
func (g *Guest) asked(ctx context.Context, action string, req, into proto.Message) error {
	answer := make(chan *gatewayv1.ServerPush, 1)
	l, id, lost, err := g.put(action, req, answer)
	if err != nil {
		return err
	}
	defer func() {
		g.mu.Lock()
		delete(g.waiting, id)
		g.mu.Unlock()
	}()
	select {
	case push := <-answer:
		if push.GetType() == gatewayv1.PushType_PUSH_ERROR {
			e := &gatewayv1.ErrorMessage{}
			if err := l.unmarshal(push.GetPayload(), e); err != nil {
				return err
			}
			return refusal{e}
		}
		resp := &gatewayv1.BusinessResponse{}
		if err := l.unmarshal(push.GetPayload(), resp); err != nil {
			return err
		}
		if resp.GetCode() != 200 {
			return fmt.Errorf("%s: %v", action, resp)
		}
		if into == nil {
			return nil
		}
		return l.unmarshal(resp.GetData(), into)
	case <-lost:
		return errCut
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Guest) put(action string, req proto.Message, answer chan *gatewayv1.ServerPush) (l *line, id uint32, lost chan struct{}, err error) {
	g.asking.Lock()
	defer g.asking.Unlock()
	g.mu.Lock()
	g.msgID++
	g.seq++
	l, lost, id = g.line, g.lost, g.msgID
	seq := g.seq
	g.waiting[id] = answer
	g.mu.Unlock()
	ask := &gatewayv1.BusinessRequest{Action: action}
	if req != nil {
		if ask.Data, err = l.marshal(req); err != nil {
			return nil, 0, nil, err
		}
	}
	err = l.send(&gatewayv1.ClientRequest{MsgId: id, SeqId: seq, Type: gatewayv1.RequestType_REQUEST_BUSINESS}, ask)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("%w: %w", errCut, err)
	}
	return l, id, lost, nil
}

// say sends a text to the room and waits until it is stored.
func (g *Guest) say(ctx context.Context, id, content string) error {
	return g.ask(ctx, "im.send", &imv1.SendMessageRequest{RoomId: "room", MessageId: id, Type: text, Content: []byte(content)})
}

// had is what the guest knows of the room so far, and what went wrong.
func (g *Guest) had() (places []place, faults []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]place(nil), g.places...), g.faults
}
