package imactions_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// client is a connection in memory with the program at its other end, which acknowledges when it is
// told to.
type client struct {
	b      *bench
	json   bool
	openid string
	device string
	in     chan []byte
	gone   chan struct{}
	goOnce sync.Once
	frames chan arrival
	served chan struct{} // closed when the node has let go of the connection

	mu  sync.Mutex
	why *transport.Disconnect

	came   *frame.Encoded // what the last frame that was taken came in
	msgID  uint32
	seq    uint64
	last   uint64 // number of the last frame that was taken
	ticket string
	id     string // of the session
}

// arrival is a frame, and what it came in.
type arrival struct {
	push    *gatewayv1.ServerPush
	encoded *frame.Encoded
}

var errLost = errors.New("the network is gone")

func (c *client) Read() ([]byte, error) {
	select {
	case data := <-c.in:
		return data, nil
	case <-c.gone:
		return nil, errLost
	}
}

func (c *client) Write(out []transport.Outgoing) error {
	for _, o := range out {
		push := &gatewayv1.ServerPush{}
		var err error
		if c.json {
			err = protojson.Unmarshal(append(gateway.JSON.Prefix(nil, o.Link), o.Frame.Body()...), push)
		} else {
			err = proto.Unmarshal(append(gateway.Proto.Prefix(nil, o.Link), o.Frame.Body()...), push)
		}
		if err != nil {
			c.b.t.Errorf("frame %d: %v", o.Link, err)
		}
		select {
		case c.frames <- arrival{push, o.Frame}:
		case <-c.gone:
			return errLost
		}
	}
	return nil
}

func (c *client) Close(why transport.Disconnect) {
	c.mu.Lock()
	if c.why == nil {
		c.why = &why
	}
	c.mu.Unlock()
	c.goOnce.Do(func() { close(c.gone) })
}

// drop loses the connection, and waits until the node has noticed.
func (c *client) drop() {
	c.Close(transport.ConnLost)
	<-c.served
}

// closed waits for the end of the connection and returns its code.
func (c *client) closed() uint32 {
	c.b.t.Helper()
	select {
	case <-c.gone:
	case <-time.After(patience):
		c.b.t.Fatal("the connection stays open")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why.Code
}

// dial opens a connection for a client that has said nothing yet.
func (b *bench) dial(f *frame.Format, openid string) *client {
	c := &client{
		b: b, json: f == gateway.JSON, openid: openid, in: make(chan []byte, 100), gone: make(chan struct{}),
		frames: make(chan arrival, 1000), served: make(chan struct{}),
	}
	go func() {
		defer close(c.served)
		_ = b.handler.Serve(b.t.Context(), c, gateway.Opening{Format: f, Transport: "test"}) // how it ends is seen at the connection
	}()
	b.t.Cleanup(c.drop)
	return c
}

// login opens a session of a device and logs it in; all that came is acknowledged.
func (b *bench) login(f *frame.Format, openid, device string) *client {
	b.t.Helper()
	c := b.dial(f, openid)
	c.device = device
	c.start(startAnew())
	if e := c.ask("hello", nil); e.code != 200 {
		b.t.Fatalf("hello: %+v", e)
	}
	c.ack()
	return c
}

// start starts, or resumes, a session and returns what came before the answer, and the answer.
func (c *client) start(r *gatewayv1.StartRequest) (before []*gatewayv1.ServerPush, headers map[string]string) {
	c.b.t.Helper()
	r.Openid, r.DeviceId = c.openid, c.device
	c.send(gatewayv1.RequestType_REQUEST_START, 0, r)
	for {
		p := c.take()
		if p.GetMsgId() != c.msgID {
			before = append(before, p)
			continue
		}
		resp := &gatewayv1.StartResponse{}
		c.unmarshal(p.GetPayload(), resp)
		if !resp.GetSuccess() {
			c.b.t.Fatalf("START was refused: %v", resp)
		}
		c.id, c.ticket = resp.GetConnectionId(), p.GetHeaders()["resume-ticket"]
		return before, p.GetHeaders()
	}
}

// back opens another connection, of any format, and takes the session up where the client has it.
func (c *client) back(f *frame.Format) (next *client, before []*gatewayv1.ServerPush, headers map[string]string) {
	c.b.t.Helper()
	next = c.b.dial(f, c.openid)
	next.device, next.last, next.seq, next.msgID = c.device, c.last, c.seq, c.msgID
	before, headers = next.start(&gatewayv1.StartRequest{LastAckedSeqId: c.last, ResumeTicket: c.ticket})
	return next, before, headers
}

func (c *client) marshal(m proto.Message) []byte {
	data, err := proto.Marshal(m)
	if c.json {
		data, err = protojson.Marshal(m)
	}
	if err != nil {
		c.b.t.Fatal(err)
	}
	return data
}

func (c *client) unmarshal(data []byte, into proto.Message) {
	c.b.t.Helper()
	err := proto.Unmarshal(data, into)
	if c.json {
		err = protojson.Unmarshal(data, into)
	}
	if err != nil {
		c.b.t.Fatalf("%v in %q", err, data)
	}
}

func (c *client) send(kind gatewayv1.RequestType, seq uint64, payload proto.Message) uint32 {
	c.msgID++
	c.in <- c.marshal(&gatewayv1.ClientRequest{MsgId: c.msgID, SeqId: seq, Type: kind, Payload: c.marshal(payload)})
	return c.msgID
}

// ack acknowledges all that was taken.
func (c *client) ack() {
	c.send(gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: c.last})
}

// say sends a business request and does not wait for its answer.
func (c *client) say(action string, data []byte) uint32 {
	c.seq++
	return c.send(gatewayv1.RequestType_REQUEST_BUSINESS, c.seq, &gatewayv1.BusinessRequest{Action: action, Data: data})
}

// open has the session follow its rooms, with these capabilities.
func (c *client) open(capabilities string) {
	c.b.t.Helper()
	c.seq++
	id := c.send(gatewayv1.RequestType_REQUEST_BUSINESS, c.seq, &gatewayv1.BusinessRequest{
		Action: "im.open", Params: map[string]string{"capabilities": capabilities},
	})
	if p := c.take(); p.GetMsgId() != id || c.read(p).code != 200 {
		c.b.t.Fatalf("im.open: %v", p)
	}
}

// take returns the next frame, whatever it is; its number is the next one.
func (c *client) take() *gatewayv1.ServerPush {
	c.b.t.Helper()
	select {
	case a := <-c.frames:
		p := a.push
		if p.GetSeqId() == 0 { // of what nobody needs to have
			c.came = a.encoded
			return p
		}
		if p.GetSeqId() != c.last+1 && c.last != 0 && p.GetSeqId() != 1 {
			c.b.t.Fatalf("frame %d after %d", p.GetSeqId(), c.last)
		}
		c.last, c.came = p.GetSeqId(), a.encoded
		return p
	case <-time.After(patience):
		c.b.t.Fatal("no frame came")
	}
	return nil
}

// answer is what a request came to.
type answer struct {
	code   int32
	text   string
	reason string // of an ERROR
	data   []byte
	header map[string]string
}

// read returns a frame as an answer.
func (c *client) read(p *gatewayv1.ServerPush) answer {
	c.b.t.Helper()
	switch p.GetType() {
	case gatewayv1.PushType_PUSH_BUSINESS_DATA:
		r := &gatewayv1.BusinessResponse{}
		c.unmarshal(p.GetPayload(), r)
		return answer{code: r.GetCode(), text: r.GetMessage(), data: r.GetData(), header: p.GetHeaders()}
	case gatewayv1.PushType_PUSH_ERROR:
		e := &gatewayv1.ErrorMessage{}
		c.unmarshal(p.GetPayload(), e)
		return answer{code: e.GetErrorCode(), text: e.GetErrorMessage(), reason: e.GetDetail(), header: p.GetHeaders()}
	}
	c.b.t.Fatalf("%v is no answer", p)
	return answer{}
}

// ask sends a business request, and returns the answer, which must be the next frame.
func (c *client) ask(action string, req proto.Message) answer {
	c.b.t.Helper()
	var data []byte
	if req != nil {
		data = c.marshal(req)
	}
	id := c.say(action, data)
	p := c.take()
	if p.GetMsgId() != id {
		c.b.t.Fatalf("instead of the answer to %s came %v", action, p)
	}
	return c.read(p)
}

// call is ask for a request that is answered with a message of im.v1.
func call[T proto.Message](c *client, action string, req proto.Message, into T) T {
	c.b.t.Helper()
	a := c.ask(action, req)
	want := string(into.ProtoReflect().Descriptor().FullName())
	if a.code != 200 || a.header["data_type"] != want {
		c.b.t.Fatalf("%s: %+v; want 200 with a %s", action, a, want)
	}
	c.unmarshal(a.data, into)
	return into
}

// refused sends a request that must be refused.
func (c *client) refused(action string, req proto.Message, code int32, reason string) answer {
	c.b.t.Helper()
	a := c.ask(action, req)
	if a.code != code || a.reason != reason {
		c.b.t.Errorf("%s: %+v; want %d %s", action, a, code, reason)
	}
	return a
}

// message reads a frame that must be a message of a room.
func (c *client) message(p *gatewayv1.ServerPush) *imv1.MessageResponse {
	c.b.t.Helper()
	a := c.read(p)
	m := &imv1.MessageResponse{}
	if p.GetMsgId() != 0 || a.code != 200 || a.header["msg_type"] != "im.message" || a.header["data_type"] != "im.v1.MessageResponse" {
		c.b.t.Fatalf("%v is no message of a room", p)
	}
	c.unmarshal(a.data, m)
	if a.header["room_id"] != m.GetRoomId() || a.header["seq"] != fmt.Sprint(m.GetSeq()) || a.text != "[im.message] "+m.GetRoomId() {
		c.b.t.Errorf("headers %v, message %q, of %v", a.header, a.text, m)
	}
	return m
}

// words puts messages in a few words each: where, what, and by whom.
func (c *client) words(frames ...*gatewayv1.ServerPush) (said []string) {
	c.b.t.Helper()
	for _, p := range frames {
		m := c.message(p)
		switch m.GetType() {
		case imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM:
			said = append(said, m.GetFromUserId()+" joined "+m.GetRoomId())
		case imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM:
			said = append(said, m.GetFromUserId()+" left "+m.GetRoomId())
		default:
			said = append(said, fmt.Sprintf("%s: %s %d", m.GetFromUserId(), c.content(m), m.GetSeq()))
		}
	}
	return said
}

// content is what a message says; of an event, its type and whom it is about.
func (c *client) content(m *imv1.MessageResponse) string {
	c.b.t.Helper()
	if m.GetMetadata()["event_type"] == "" {
		return string(m.GetContent())
	}
	e := &imv1.SystemContent{}
	if err := proto.Unmarshal(m.GetContent(), e); err != nil {
		c.b.t.Error(err)
	}
	return strings.TrimSpace(e.GetEventType() + " " + e.GetEventData()["user_id"])
}

// want takes as many frames as there are texts, and compares.
func (c *client) want(texts ...string) {
	c.b.t.Helper()
	var said []string
	for range texts {
		said = append(said, c.words(c.take())...)
	}
	if !slices.Equal(said, texts) {
		c.b.t.Errorf("got  %q\nwant %q", said, texts)
	}
}

// quiet fails if anything waits for the client: it asks for an echo, and that must come next.
func (c *client) quiet() {
	c.b.t.Helper()
	if a := c.ask("echo", nil); a.text != "success" {
		c.b.t.Errorf("echo: %+v", a)
	}
}

func startAnew() *gatewayv1.StartRequest { return &gatewayv1.StartRequest{} }

func textTo(room, id, content string) *imv1.SendMessageRequest {
	return &imv1.SendMessageRequest{RoomId: room, MessageId: id, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(content)}
}
