package bench

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// The msg_ids of a client: START, its login, its requests by their number, and heartbeats.
const (
	startID   = 1
	helloID   = 2
	firstID   = 3
	beatID    = 1 << 31
	codeOK    = 200
	helloSeq  = 1
	firstSeq  = helloSeq + 1
	loginName = "hello"
)

// gatewaySpeech is the gateway protocol.
type gatewaySpeech struct {
	client *client
	last   atomic.Uint64 // the number of the last frame
	acked  uint64
}

func (s *gatewaySpeech) greet() error {
	start := &gatewayv1.StartRequest{Openid: s.client.who.user, AuthToken: s.client.who.token}
	return s.client.link.send(encode(&gatewayv1.ClientRequest{
		MsgId: startID, Type: gatewayv1.RequestType_REQUEST_START, Payload: encode(start),
	}))
}

func (s *gatewaySpeech) say(number uint64, due int64) []byte {
	c := s.client
	data := stamp{run: c.load.run, sender: c.sender, number: number, due: due}.payload(c.load.plan.Size)
	return s.business(firstID+uint32(number), firstSeq+number, c.load.plan.Action, data)
}

func (s *gatewaySpeech) business(id uint32, seq uint64, action string, data []byte) []byte {
	return encode(&gatewayv1.ClientRequest{
		MsgId: id, SeqId: seq, Type: gatewayv1.RequestType_REQUEST_BUSINESS,
		Payload: encode(&gatewayv1.BusinessRequest{Action: action, Data: data}),
	})
}

func (s *gatewaySpeech) beat() []byte {
	return encode(&gatewayv1.ClientRequest{MsgId: beatID, Type: gatewayv1.RequestType_REQUEST_HEARTBEAT})
}

func (s *gatewaySpeech) acknowledge() []byte {
	last := s.last.Load()
	if last == s.acked {
		return nil
	}
	s.acked = last
	return encode(&gatewayv1.ClientRequest{
		Type: gatewayv1.RequestType_REQUEST_ACK, Payload: encode(&gatewayv1.ClientAck{AckedSeqId: last}),
	})
}

// encode marshals what has been made here, which cannot fail.
func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("bench: %T: %v", m, err))
	}
	return b
}

func (s *gatewaySpeech) take(frame []byte) error {
	p, err := readPush(frame)
	if err != nil {
		return err
	}
	switch last := s.last.Load(); {
	case p.seq <= last:
		return nil // written again, since its ACK was late
	case p.seq != last+1:
		s.client.load.tally.add("gap in a session", 1, fmt.Sprintf("frame %d follows %d", p.seq, last))
	}
	s.last.Store(p.seq)
	switch {
	case p.id == beatID:
		return nil
	case p.id == startID:
		return s.started(p)
	case p.id == helloID:
		return s.loggedIn(p)
	case p.id >= firstID:
		return s.answered(p)
	}
	body, err := readBusiness(p.payload)
	if err == nil {
		s.client.deliver(body.data, 0)
	}
	return err
}

func (s *gatewaySpeech) started(p push) error {
	var resp gatewayv1.StartResponse
	if p.kind != gatewayv1.PushType_PUSH_START_RESP {
		return refusedWith("START", p)
	}
	if err := proto.Unmarshal(p.payload, &resp); err != nil {
		return fmt.Errorf("START_RESP: %w", err)
	}
	if !resp.GetSuccess() {
		return fmt.Errorf("START was refused: %d %s", resp.GetError().GetErrorCode(), resp.GetError().GetErrorMessage())
	}
	return s.client.link.send(s.business(helloID, helloSeq, loginName, nil))
}

func (s *gatewaySpeech) loggedIn(p push) error {
	if p.kind != gatewayv1.PushType_PUSH_BUSINESS_DATA {
		return refusedWith(loginName, p)
	}
	body, err := readBusiness(p.payload)
	if err == nil && body.code != codeOK {
		err = fmt.Errorf("%s was answered with code %d", loginName, body.code)
	}
	if err == nil {
		s.client.greeted()
	}
	return err
}

// refusedWith reads the ERROR that answers something.
func refusedWith(what string, p push) error {
	var e gatewayv1.ErrorMessage
	if err := proto.Unmarshal(p.payload, &e); err != nil {
		return fmt.Errorf("ERROR: %w", err)
	}
	return fmt.Errorf("%s was refused: %d %s", what, e.GetErrorCode(), e.GetErrorMessage())
}

// answered books the answer to a request.
func (s *gatewaySpeech) answered(p push) error {
	if s.client.lane == nil {
		return fmt.Errorf("an answer to message %d, which this client has not sent", p.id)
	}
	refusal, text := "", ""
	switch p.kind {
	case gatewayv1.PushType_PUSH_BUSINESS_DATA:
		body, err := readBusiness(p.payload)
		if err != nil {
			return err
		}
		if body.code != codeOK {
			refusal = fmt.Sprintf("answered with code %d", body.code)
		}
	default:
		var e gatewayv1.ErrorMessage
		if err := proto.Unmarshal(p.payload, &e); err != nil {
			return fmt.Errorf("ERROR: %w", err)
		}
		refusal, text = fmt.Sprintf("refused %d %s", e.GetErrorCode(), e.GetDetail()), e.GetErrorMessage()
	}
	s.client.lane.answered(uint64(p.id-firstID), &s.client.answer, refusal, text)
	return nil
}

// push is the part of a ServerPush that a load looks at.
type push struct {
	id      uint32
	seq     uint64
	kind    gatewayv1.PushType
	payload []byte
}

func readPush(frame []byte) (p push, err error) {
	err = fields(frame, func(num protowire.Number, v fieldValue) error {
		switch num {
		case 1:
			p.id = uint32(v.number)
		case 2:
			p.seq = v.number
		case 3:
			p.kind = gatewayv1.PushType(v.number)
		case 4:
			p.payload = v.bytes
		}
		return nil
	})
	return p, err
}

// business is the part of a BusinessResponse that a load looks at.
type business struct {
	code int32
	data []byte
}

func readBusiness(payload []byte) (b business, err error) {
	err = fields(payload, func(num protowire.Number, v fieldValue) error {
		switch num {
		case 1:
			b.code = int32(v.number)
		case 3:
			b.data = v.bytes
		}
		return nil
	})
	return b, err
}
