package bench

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// imSpeech is the im.v1 stream.
type imSpeech struct{ client *client }

func (s *imSpeech) greet() error { return s.client.link.send(s.beat()) }

// Fields of MessageRequest.
const (
	requestID      = 1
	requestRoom    = 3
	requestType    = 4
	requestContent = 5
)

// say encodes a MessageRequest. Its id is the number, which an ACK repeats.
func (s *imSpeech) say(number uint64, due int64) []byte {
	c := s.client
	content := stamp{run: c.load.run, sender: c.sender, number: number, due: due}.payload(c.load.plan.Size)
	b := make([]byte, 0, len(content)+len(c.who.room)+48)
	b = protowire.AppendTag(b, requestID, protowire.BytesType)
	b = protowire.AppendString(b, strconv.FormatUint(number, 10))
	b = protowire.AppendTag(b, requestRoom, protowire.BytesType)
	b = protowire.AppendString(b, c.who.room)
	b = protowire.AppendTag(b, requestType, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(imv1.MessageType_MESSAGE_TYPE_TEXT))
	b = protowire.AppendTag(b, requestContent, protowire.BytesType)
	return protowire.AppendBytes(b, content)
}

func (s *imSpeech) beat() []byte {
	b := protowire.AppendTag(nil, requestType, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(imv1.MessageType_MESSAGE_TYPE_HEARTBEAT))
}

// acknowledge has nothing to say: the clients do not name the capability resume.
func (s *imSpeech) acknowledge() []byte { return nil }

func (s *imSpeech) take(frame []byte) error { return scan(frame, s.book) }

func (s *imSpeech) book(m response) error {
	c := s.client
	if m.kind == imv1.MessageType_MESSAGE_TYPE_ACK {
		c.answeredAt(m.seq)
		return s.answered(m)
	}
	c.inSequence(m.seq)
	switch m.kind {
	case imv1.MessageType_MESSAGE_TYPE_TEXT, imv1.MessageType_MESSAGE_TYPE_SYSTEM:
		c.deliver(m.content, m.seq)
	case imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
		c.greeted()
	}
	return nil
}

// answered books the ACK of an own message.
func (s *imSpeech) answered(m response) error {
	var ack imv1.AckContent
	if err := proto.Unmarshal(m.content, &ack); err != nil {
		return fmt.Errorf("content of an ACK: %w", err)
	}
	number, err := strconv.ParseUint(ack.GetOriginalMessageId(), 10, 64)
	if err != nil || s.client.lane == nil {
		return fmt.Errorf("an ACK of %q, which this client has not sent", ack.GetOriginalMessageId())
	}
	refusal := ""
	if !ack.GetSuccess() {
		var whole imv1.MessageResponse
		if err := proto.Unmarshal(m.bytes, &whole); err != nil {
			return err
		}
		refusal = "refused " + whole.GetMetadata()["reason"]
	}
	s.client.lane.answered(number, &s.client.answer, refusal, ack.GetErrorMessage())
	return nil
}

// response is the part of a MessageResponse that a load looks at.
type response struct {
	kind    imv1.MessageType
	content []byte
	seq     int64
	bytes   []byte // the whole of it
}

// Fields of MessageResponse.
const (
	responseType    = 4
	responseContent = 5
	responseSeq     = 9
	responseBatch   = 11
)

// scan reads one encoded MessageResponse and gives it to book, or each item of its envelope in order.
func scan(b []byte, book func(response) error) error {
	m := response{bytes: b}
	envelope := false
	err := fields(b, func(num protowire.Number, v fieldValue) error {
		switch num {
		case responseType:
			m.kind = imv1.MessageType(v.number)
		case responseContent:
			m.content = v.bytes
		case responseSeq:
			m.seq = int64(v.number)
		case responseBatch:
			envelope = true
			return scan(v.bytes, book)
		}
		return nil
	})
	if err != nil || envelope {
		return err
	}
	return book(m)
}
