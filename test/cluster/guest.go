package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// errCut is what is asked over a connection that ends before the answer.
var errCut = errors.New("the connection has ended")

// guest is a gateway session in one room. It does what an application does: it acknowledges each frame, drops what it
// has had, and comes back to any node.
type guest struct {
	ear
	said  *speeches
	doors []*grpc.ClientConn
	acked atomic.Int64
	comes atomic.Int64 // how often it has begun, or taken up, a session
	takes atomic.Int64 // of these, how often the session went on

	mu      sync.Mutex
	stream  grpc.BidiStreamingClient[gatewayv1.ClientRequest, gatewayv1.ServerPush] // nil: none
	lost    chan struct{}                                                           // closed with stream's end
	waiting map[uint32]chan *gatewayv1.ServerPush
	ticket  string
	last    uint64 // the last frame that it has
	place   int64  // the last of the room
	had     map[string]bool
	msgID   uint32
	seq     uint64
}

func newGuest(user, room string, said *speeches, doors []*grpc.ClientConn) *guest {
	return &guest{ear: ear{user: user, room: room}, said: said, doors: doors, waiting: map[uint32]chan *gatewayv1.ServerPush{}, had: map[string]bool{}}
}

// live keeps the guest connected until ctx ends.
func (g *guest) live(ctx context.Context) {
	for door := rand.N(len(g.doors)); ctx.Err() == nil; door++ {
		one, end := context.WithCancel(ctx)
		if err := g.visit(one, door%len(g.doors)); err != nil && ctx.Err() == nil && !errors.Is(err, errCut) {
			g.said.wrong("%s: %v", g.user, err)
		}
		end()
		doze(ctx, rand.N(300*time.Millisecond))
	}
}

// visit has one connection, until it ends.
func (g *guest) visit(ctx context.Context, door int) error {
	stream, err := gatewayv1.NewClientServiceClient(g.doors[door]).Connect(ctx)
	if err != nil {
		return errCut
	}
	g.mu.Lock()
	g.stream, g.lost = stream, make(chan struct{})
	start := &gatewayv1.StartRequest{Openid: g.user, DeviceId: "gateway", LastAckedSeqId: g.last, ResumeTicket: g.ticket, AuthToken: "default-token"}
	id := g.sayLocked(gatewayv1.RequestType_REQUEST_START, 0, start)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.stream = nil
		close(g.lost)
		g.mu.Unlock()
	}()
	var setup sync.WaitGroup
	defer setup.Wait()
	begun := false
	for {
		push, err := stream.Recv()
		if err != nil {
			return errCut // whatever a connection ends with
		}
		fresh, err := g.take(push, id)
		if err != nil {
			return err
		}
		if fresh && !begun {
			begun = true
			setup.Go(func() { g.enter(ctx) })
		}
	}
}

// enter logs a new session in, and has it follow its user's rooms.
func (g *guest) enter(ctx context.Context) {
	for _, action := range []string{"hello", "im.open"} {
		for ctx.Err() == nil {
			_, err := g.ask(ctx, action, nil)
			if err == nil {
				break
			}
			if errors.Is(err, errCut) || errors.Is(err, context.Canceled) {
				return
			}
			if !again(err) {
				g.said.wrong("%s: %s: %v", g.user, action, err)
				return
			}
			doze(ctx, 100*time.Millisecond)
		}
	}
}

// take deals with a frame, and tells whether it begins a new session.
func (g *guest) take(push *gatewayv1.ServerPush, start uint32) (fresh bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if push.GetType() == gatewayv1.PushType_PUSH_START_RESP && push.GetMsgId() == start {
		resp := &gatewayv1.StartResponse{}
		if err := proto.Unmarshal(push.GetPayload(), resp); err != nil {
			return false, err
		}
		if !resp.GetSuccess() {
			return false, errCut // it comes back
		}
		g.comes.Add(1)
		if fresh = push.GetHeaders()["resumed"] != "true"; fresh {
			g.last = push.GetSeqId() - 1
		} else {
			g.takes.Add(1)
		}
		g.ticket = push.GetHeaders()["resume-ticket"]
	}
	switch number := push.GetSeqId(); {
	case number > g.last+1:
		return false, fmt.Errorf("frame %d after %d", number, g.last)
	case number == g.last+1:
		g.last = number
		if push.GetType() == gatewayv1.PushType_PUSH_BUSINESS_DATA {
			if err := g.noteLocked(push); err != nil {
				return false, err
			}
		}
		if wait := g.waiting[push.GetMsgId()]; push.GetMsgId() != 0 && wait != nil {
			delete(g.waiting, push.GetMsgId())
			wait <- push
		}
	}
	g.sayLocked(gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: g.last})
	return fresh, nil
}

// noteLocked notes what is new in the room, and pushes.
func (g *guest) noteLocked(push *gatewayv1.ServerPush) error {
	if push.GetMsgId() != 0 {
		return nil // an answer
	}
	resp := &gatewayv1.BusinessResponse{}
	if err := proto.Unmarshal(push.GetPayload(), resp); err != nil {
		return err
	}
	if push.GetHeaders()["data_type"] != "im.v1.MessageResponse" {
		if id := string(resp.GetData()); !g.had[id] { // it may come again, from the inbox: the program knows it by its id
			g.had[id] = true
			g.push(id)
		}
		return nil
	}
	m := &imv1.MessageResponse{}
	if err := proto.Unmarshal(resp.GetData(), m); err != nil {
		return err
	}
	if m.GetType() == text && m.GetSeq() > g.place {
		g.place = m.GetSeq()
		g.hear(line{m.GetSeq(), m.GetFromUserId(), string(m.GetContent())})
	}
	return nil
}

// sayLocked writes a request. That the connection has ended is found out by reading.
func (g *guest) sayLocked(kind gatewayv1.RequestType, seq uint64, m proto.Message) (id uint32) {
	payload, err := proto.Marshal(m)
	if err != nil {
		g.said.wrong("%s: %v", g.user, err)
	}
	g.msgID++
	_ = g.stream.Send(&gatewayv1.ClientRequest{MsgId: g.msgID, SeqId: seq, Type: kind, Payload: payload, Openid: g.user})
	return g.msgID
}

// refusal is an answer that is none.
type refusal struct {
	code int32
	text string
}

func (r refusal) Error() string { return fmt.Sprintf("%d: %s", r.code, r.text) }

// again tells whether an error says to ask again.
func again(err error) bool {
	refused, ok := errors.AsType[refusal](err)
	return ok && (refused.code == 503 || refused.code == 429 || refused.code == 504)
}

// ask sends a business request and waits for the data of its answer.
func (g *guest) ask(ctx context.Context, action string, req proto.Message) ([]byte, error) {
	ask := &gatewayv1.BusinessRequest{Action: action}
	if req != nil {
		var err error
		if ask.Data, err = proto.Marshal(req); err != nil {
			return nil, err
		}
	}
	answer := make(chan *gatewayv1.ServerPush, 1)
	g.mu.Lock()
	if g.stream == nil {
		g.mu.Unlock()
		return nil, errCut
	}
	g.seq++
	id := g.sayLocked(gatewayv1.RequestType_REQUEST_BUSINESS, g.seq, ask)
	g.waiting[id] = answer
	lost := g.lost
	g.mu.Unlock()
	select {
	case push := <-answer:
		data, err := read(push)
		return data, g.renumbered(err)
	case <-lost:
		return nil, errCut
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// nextNumber is how the node refuses a request when one before it was lost with its connection.
var nextNumber = regexp.MustCompile(`^seq_id is \d+; (\d+) is next$`)

// renumbered goes on with the number that the node waits for, and has the request asked again.
func (g *guest) renumbered(err error) error {
	refused, ok := errors.AsType[refusal](err)
	if !ok || refused.code != 400 {
		return err
	}
	m := nextNumber.FindStringSubmatch(refused.text)
	if m == nil {
		return err
	}
	next, _ := strconv.ParseUint(m[1], 10, 64)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seq = next - 1
	return refusal{503, refused.text}
}

func read(push *gatewayv1.ServerPush) ([]byte, error) {
	if push.GetType() == gatewayv1.PushType_PUSH_ERROR {
		e := &gatewayv1.ErrorMessage{}
		if err := proto.Unmarshal(push.GetPayload(), e); err != nil {
			return nil, err
		}
		return nil, refusal{e.GetErrorCode(), e.GetErrorMessage()}
	}
	resp := &gatewayv1.BusinessResponse{}
	if err := proto.Unmarshal(push.GetPayload(), resp); err != nil {
		return nil, err
	}
	if resp.GetCode() != 200 {
		return nil, refusal{resp.GetCode(), resp.GetMessage()}
	}
	return resp.GetData(), nil
}

// speak says one thing after another until ctx ends, each until it is answered.
func (g *guest) speak(ctx context.Context, rng *rand.Rand, pause time.Duration) {
	for number := 1; doze(ctx, pause/2+time.Duration(rng.Int64N(int64(pause)))); number++ {
		content := fmt.Sprintf("%s says %d", g.user, number)
		m := g.said.begin(g.user, g.room, content)
		if err := g.say(content, m); err != nil {
			g.said.wrong("%q: %v", content, err)
			return
		}
	}
}

func (g *guest) say(content string, m *speech) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		data, err := g.ask(ctx, "im.send", &imv1.SendMessageRequest{RoomId: g.room, MessageId: "id of " + content, Type: text, Content: []byte(content)})
		sent := &imv1.SendMessageResponse{}
		switch {
		case err == nil:
			if err := proto.Unmarshal(data, sent); err != nil {
				return err
			}
			g.said.taken(m, sent.GetSeq(), sent.GetMessageId())
			g.acked.Add(1)
			return nil
		case errors.Is(err, errCut), again(err), unready(err):
			doze(ctx, 50*time.Millisecond)
		default:
			return err
		}
	}
}

// unready tells whether a session is too young to be asked.
func unready(err error) bool {
	refused, ok := errors.AsType[refusal](err)
	return ok && refused.code == 401
}
