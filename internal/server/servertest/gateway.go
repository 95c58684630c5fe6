package servertest

import (
	"fmt"
	"maps"
	"strconv"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// gatewayLanguage is the gateway protocol, with the numbers of one client.
type gatewayLanguage struct {
	json bool
	id   uint32
	seq  uint64
}

func (l *gatewayLanguage) opening(s seat, _ bool) (before map[string]string, first string) {
	return nil, l.write(gatewayv1.RequestType_REQUEST_START, 0, &gatewayv1.StartRequest{
		Openid: s.user, LastAckedSeqId: s.last, ResumeTicket: s.ticket,
	})
}

func (l *gatewayLanguage) request(kind, text string) string {
	switch kind {
	case "login":
		l.seq++
		return l.write(gatewayv1.RequestType_REQUEST_BUSINESS, l.seq, &gatewayv1.BusinessRequest{Action: "hello"})
	case "ask":
		return l.write(gatewayv1.RequestType_REQUEST_HEARTBEAT, 0, &gatewayv1.HeartbeatRequest{ClientTimestamp: stamp(text)})
	case "ack":
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			panic(err) // only tests write it
		}
		return l.write(gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: n})
	}
	return l.write(gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{})
}

// stamp makes a number of a text, so that the answer to a heartbeat has it.
func stamp(text string) (n int64) {
	for _, b := range []byte(text) {
		n = n<<8 | int64(b)
	}
	return n
}

func unstamp(n int64) (text string) {
	for ; n > 0; n >>= 8 {
		text = string(rune(n&0xff)) + text
	}
	return text
}

func (l *gatewayLanguage) write(kind gatewayv1.RequestType, seq uint64, payload proto.Message) string {
	l.id++
	return encode(l.json, &gatewayv1.ClientRequest{MsgId: l.id, SeqId: seq, Type: kind, Payload: []byte(encode(l.json, payload))})
}

func (l *gatewayLanguage) read(frame string) (event, error) {
	p := &gatewayv1.ServerPush{}
	if err := decode(l.json, frame, p); err != nil {
		return event{}, err
	}
	e := event{link: p.GetSeqId()}
	start, data, beat, wrong := &gatewayv1.StartResponse{}, &gatewayv1.BusinessResponse{}, &gatewayv1.HeartbeatResponse{}, &gatewayv1.ErrorMessage{}
	payload, ok := map[gatewayv1.PushType]proto.Message{
		gatewayv1.PushType_PUSH_START_RESP: start, gatewayv1.PushType_PUSH_BUSINESS_DATA: data,
		gatewayv1.PushType_PUSH_HEARTBEAT_RESP: beat, gatewayv1.PushType_PUSH_ERROR: wrong,
	}[p.GetType()]
	if !ok {
		return e, fmt.Errorf("a %v was not to be expected", p.GetType())
	}
	if err := decode(l.json, string(p.GetPayload()), payload); err != nil {
		return e, err
	}
	switch {
	case payload == proto.Message(start) && !start.GetSuccess():
		e.kind, e.text = "refusal", start.GetError().GetDetail()
	case payload == proto.Message(start):
		e.kind, e.headers = "greeting", maps.Clone(p.GetHeaders())
		e.headers["session-id"] = start.GetConnectionId()
	case payload == proto.Message(wrong):
		e.kind, e.text = "refusal", wrong.GetDetail()
	case payload == proto.Message(beat):
		e.kind, e.text = "answer", unstamp(beat.GetClientTimestamp())
	case p.GetMsgId() == 0:
		e.kind, e.text = "push", string(data.GetData())
	default:
		e.kind, e.text = "answer", string(data.GetData())
	}
	return e, nil
}
