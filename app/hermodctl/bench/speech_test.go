package bench

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// wire is a link that keeps what is sent and has nothing to receive.
type wire struct{ sent [][]byte }

func (w *wire) send(b []byte) error        { w.sent = append(w.sent, b); return nil }
func (w *wire) receive(taker) error        { return errors.New("nothing comes") }
func (w *wire) close()                     {}
func (w *wire) last(m proto.Message) error { return proto.Unmarshal(w.sent[len(w.sent)-1], m) }

func talker(p Plan) (*client, *wire) {
	w := &wire{}
	c := newClient(testLoad(p), 0, "room", 1)
	c.link, c.lane = w, newLane(c.load, 4)
	return c, w
}

func TestScan(t *testing.T) {
	t.Parallel()
	text := func(seq int64) *imv1.MessageResponse {
		return &imv1.MessageResponse{
			MessageId: "m", FromUserId: "u", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT,
			Content: []byte("hello"), Metadata: map[string]string{"k": "v"}, Seq: seq, LinkSeq: 7,
		}
	}
	tests := []struct {
		name string
		resp *imv1.MessageResponse
		seqs []int64
	}{
		{"single", text(5), []int64{5}},
		{"envelope", &imv1.MessageResponse{LinkSeq: 1, Batch: []*imv1.MessageResponse{text(1), text(2)}}, []int64{1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := encode(tt.resp)
			var seqs []int64
			err := scan(b, func(m response) error {
				if m.kind != imv1.MessageType_MESSAGE_TYPE_TEXT || string(m.content) != "hello" {
					t.Errorf("got kind %v with content %q", m.kind, m.content)
				}
				seqs = append(seqs, m.seq)
				return nil
			})
			if err != nil || !slices.Equal(seqs, tt.seqs) {
				t.Errorf("got seqs %v and error %v, want %v", seqs, err, tt.seqs)
			}
			if err := scan(b[:len(b)-1], func(response) error { return nil }); err == nil {
				t.Error("a frame that was cut short passed")
			}
		})
	}
}

func TestIMSpeech(t *testing.T) {
	t.Parallel()
	c, _ := talker(Plan{Protocol: IM, Size: 32})
	var req imv1.MessageRequest
	if err := proto.Unmarshal(c.speech.say(42, 1234), &req); err != nil {
		t.Fatal(err)
	}
	if s, ours := readStamp(req.GetContent(), 7, 32); !ours || s.number != 42 || s.due != 1234 {
		t.Errorf("got stamp %+v", s)
	}
	if req.GetMessageId() != "42" || req.GetRoomId() != "room" || req.GetType() != imv1.MessageType_MESSAGE_TYPE_TEXT {
		t.Errorf("got request %v", &req)
	}
	ack := func(id string, ok bool) []byte {
		return encode(&imv1.MessageResponse{
			Type:     imv1.MessageType_MESSAGE_TYPE_ACK,
			Content:  encode(&imv1.AckContent{OriginalMessageId: id, Success: ok, ErrorMessage: "no"}),
			Metadata: map[string]string{"reason": "MUTED"},
		})
	}
	c.lane.sent.Store(2)
	for _, b := range [][]byte{
		c.speech.beat(), // as the node answers it
		ack("0", true), ack("1", false),
	} {
		if err := c.speech.take(b); err != nil {
			t.Error(err)
		}
	}
	if c.lane.accepted.Load() != 1 || c.lane.refused.Load() != 1 || c.load.tally.byKind()["refused MUTED"] != 1 {
		t.Errorf("%d accepted, %d refused: %v", c.lane.accepted.Load(), c.lane.refused.Load(), c.load.tally.list())
	}
	select {
	case <-c.ready:
	default:
		t.Error("the answer to a heartbeat does not make a client ready")
	}
	if err := c.speech.take(ack("x", true)); err == nil {
		t.Error("an ACK of what was not sent passed")
	}
}

func TestGatewaySpeech(t *testing.T) {
	t.Parallel()
	c, w := talker(Plan{Protocol: Gateway, Size: 32, Action: "echo"})
	seq := uint64(0)
	take := func(id uint32, kind gatewayv1.PushType, body proto.Message) {
		t.Helper()
		seq++
		if err := c.speech.take(encode(&gatewayv1.ServerPush{MsgId: id, SeqId: seq, Type: kind, Payload: encode(body)})); err != nil {
			t.Error(err)
		}
	}
	var req gatewayv1.ClientRequest
	if err := c.speech.greet(); err != nil || w.last(&req) != nil || req.GetType() != gatewayv1.RequestType_REQUEST_START || req.GetSeqId() != 0 {
		t.Errorf("it begins with %v and error %v", &req, err)
	}
	take(startID, gatewayv1.PushType_PUSH_START_RESP, &gatewayv1.StartResponse{Success: true})
	if err := w.last(&req); err != nil || req.GetType() != gatewayv1.RequestType_REQUEST_BUSINESS || req.GetSeqId() != 1 {
		t.Errorf("it logs in with %v and error %v", &req, err)
	}
	take(helloID, gatewayv1.PushType_PUSH_BUSINESS_DATA, &gatewayv1.BusinessResponse{Code: 200})
	take(helloID, gatewayv1.PushType_PUSH_BUSINESS_DATA, &gatewayv1.BusinessResponse{Code: 200}) // a node that says it twice
	<-c.ready
	c.lane.sent.Store(3)
	if err := proto.Unmarshal(c.speech.say(0, 9), &req); err != nil || req.GetSeqId() != 2 || req.GetMsgId() != firstID {
		t.Errorf("the first request is %v, error %v", &req, err)
	}
	take(firstID, gatewayv1.PushType_PUSH_BUSINESS_DATA, &gatewayv1.BusinessResponse{Code: 200})
	take(firstID+1, gatewayv1.PushType_PUSH_BUSINESS_DATA, &gatewayv1.BusinessResponse{Code: 404})
	take(firstID+2, gatewayv1.PushType_PUSH_ERROR, &gatewayv1.ErrorMessage{ErrorCode: 503, Detail: "RATE_LIMITED"})
	push := &gatewayv1.BusinessResponse{Code: 200, Data: stamp{run: 7}.payload(32)}
	take(0, gatewayv1.PushType_PUSH_BUSINESS_DATA, push)
	seq--
	take(0, gatewayv1.PushType_PUSH_BUSINESS_DATA, push) // again, under its number
	if err := proto.Unmarshal(c.speech.acknowledge(), &req); err != nil || req.GetType() != gatewayv1.RequestType_REQUEST_ACK {
		t.Errorf("it acknowledges with %v, error %v", &req, err)
	}
	if c.speech.acknowledge() != nil {
		t.Error("it acknowledges twice")
	}
	seq++
	take(beatID, gatewayv1.PushType_PUSH_HEARTBEAT_RESP, &gatewayv1.HeartbeatResponse{})
	want := map[string]int64{"answered with code 404": 1, "refused 503 RATE_LIMITED": 1, "gap in a session": 1}
	if got := c.load.tally.byKind(); !maps.Equal(got, want) {
		t.Errorf("wrong was %v, want %v", got, want)
	}
	if c.delivered.Load() != 1 || c.lane.accepted.Load() != 1 || c.lane.refused.Load() != 2 {
		t.Errorf("%d delivered, %d accepted, %d refused", c.delivered.Load(), c.lane.accepted.Load(), c.lane.refused.Load())
	}
}

// A node that does not let a client in says why.
func TestGatewayRefusals(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*gatewayv1.ServerPush{
		"START":       {MsgId: startID, Type: gatewayv1.PushType_PUSH_START_RESP, Payload: encode(&gatewayv1.StartResponse{Error: &gatewayv1.ErrorMessage{ErrorCode: 401}})},
		"START, 400":  {MsgId: startID, Type: gatewayv1.PushType_PUSH_ERROR, Payload: encode(&gatewayv1.ErrorMessage{ErrorCode: 400})},
		"hello":       {MsgId: helloID, Type: gatewayv1.PushType_PUSH_ERROR, Payload: encode(&gatewayv1.ErrorMessage{ErrorCode: 500})},
		"hello, 401":  {MsgId: helloID, Type: gatewayv1.PushType_PUSH_BUSINESS_DATA, Payload: encode(&gatewayv1.BusinessResponse{Code: 401})},
		"a bad frame": {MsgId: startID, Type: gatewayv1.PushType_PUSH_START_RESP, Payload: []byte{0xff}},
	} {
		c, _ := talker(Plan{Protocol: Gateway, Size: 32})
		p.SeqId = 1
		if err := c.speech.take(encode(p)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzSpeech lets a node say anything.
func FuzzSpeech(f *testing.F) {
	f.Add(encode(&imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_ACK, Content: encode(&imv1.AckContent{OriginalMessageId: "1"})}))
	f.Add(encode(&imv1.MessageResponse{Batch: []*imv1.MessageResponse{{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Seq: 3, Content: stamp{run: 7, number: 1 << 60}.payload(32)}}}))
	f.Add(encode(&gatewayv1.ServerPush{SeqId: 1, MsgId: startID, Payload: encode(&gatewayv1.StartResponse{Success: true})}))
	f.Add(encode(&gatewayv1.ServerPush{SeqId: 1, Payload: encode(&gatewayv1.BusinessResponse{Data: stamp{run: 7}.payload(32)})}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, protocol := range []Protocol{IM, Gateway} {
			c, _ := talker(Plan{Protocol: protocol, Size: 32})
			c.lane.sent.Store(2)
			for range 3 {
				_ = c.speech.take(frame) // it returns
			}
			if n := c.lane.unanswered(); n < 0 || c.delivered.Load() > 3*int64(len(frame)) {
				t.Errorf("%d unanswered, %d delivered", n, c.delivered.Load())
			}
		}
	})
}
