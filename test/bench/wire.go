package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// payloadSize is the length of a message's content in bytes.
const payloadSize = 128

// consumer takes an encoded message without having it decoded first. The bytes are valid during
// the call only.
type consumer interface {
	consume(b []byte) error
}

// rawCodec passes encoded messages on as they are and encodes the others as protobuf. It is the
// codec of the load and of the bare server.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	switch v := v.(type) {
	case mem.BufferSlice:
		return v, nil
	case []byte:
		return mem.BufferSlice{mem.SliceBuffer(v)}, nil
	case proto.Message:
		b, err := proto.Marshal(v)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, fmt.Errorf("cannot encode %T", v)
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if len(data) == 1 {
		return decode(data[0].ReadOnlyData(), v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return decode(whole.ReadOnlyData(), v)
}

func decode(b []byte, v any) error {
	switch v := v.(type) {
	case consumer:
		return v.consume(b)
	case proto.Message:
		return proto.Unmarshal(b, v)
	}
	return fmt.Errorf("cannot decode into %T", v)
}

// stamp is what a sender puts at the beginning of a content, so that receivers can check order and
// tell how long it took.
type stamp struct {
	sender uint32 // index among the senders of the room
	number uint64 // from 0, per sender
	due    int64  // when it was to be sent, Unix nanoseconds
}

const stampSize = 20

func (s stamp) content() []byte {
	b := make([]byte, payloadSize)
	binary.BigEndian.PutUint32(b, s.sender)
	binary.BigEndian.PutUint64(b[4:], s.number)
	binary.BigEndian.PutUint64(b[12:], uint64(s.due))
	return b
}

func readStamp(b []byte) (stamp, error) {
	if len(b) != payloadSize {
		return stamp{}, fmt.Errorf("content of %d bytes came, %d were sent", len(b), payloadSize)
	}
	return stamp{
		sender: binary.BigEndian.Uint32(b),
		number: binary.BigEndian.Uint64(b[4:]),
		due:    int64(binary.BigEndian.Uint64(b[12:stampSize])),
	}, nil
}

// age is how long ago the message was due.
func (s stamp) age() time.Duration { return time.Since(time.Unix(0, s.due)) }

// textRequest encodes the MessageRequest for a stamp. The message id is the number, which an ACK
// repeats.
func textRequest(room string, s stamp) []byte {
	b := make([]byte, 0, payloadSize+64)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, strconv.FormatUint(s.number, 10))
	b = protowire.AppendTag(b, 3, protowire.BytesType)
	b = protowire.AppendString(b, room)
	b = protowire.AppendTag(b, 4, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(imv1.MessageType_MESSAGE_TYPE_TEXT))
	b = protowire.AppendTag(b, 5, protowire.BytesType)
	return protowire.AppendBytes(b, s.content())
}

func heartbeatRequest() []byte {
	b := protowire.AppendTag(nil, 4, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(imv1.MessageType_MESSAGE_TYPE_HEARTBEAT))
}

// frame is the part of a MessageResponse that the load looks at.
type frame struct {
	kind    imv1.MessageType
	content []byte
	seq     int64
}

// scan reads one encoded MessageResponse and gives it to take, or each item of its envelope in
// order.
func scan(b []byte, take func(frame) error) error {
	var f frame
	envelope := false
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		value, size, err := consumeValue(num, typ, b)
		if err != nil {
			return err
		}
		switch num {
		case 4:
			f.kind = imv1.MessageType(value.number)
		case 5:
			f.content = value.bytes
		case 9:
			f.seq = int64(value.number)
		case 11:
			envelope = true
			if err := scan(value.bytes, take); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	if envelope {
		return nil
	}
	return take(f)
}

type fieldValue struct {
	number uint64
	bytes  []byte
}

// consumeValue reads the value of one field and tells its length.
func consumeValue(num protowire.Number, typ protowire.Type, b []byte) (v fieldValue, n int, err error) {
	switch typ {
	case protowire.VarintType:
		v.number, n = protowire.ConsumeVarint(b)
	case protowire.BytesType:
		v.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	if n < 0 {
		return v, 0, protowire.ParseError(n)
	}
	return v, n, nil
}

// readAck reads an AckContent and returns the number of the message that it answers.
func readAck(content []byte) (uint64, error) {
	var ack imv1.AckContent
	if err := proto.Unmarshal(content, &ack); err != nil {
		return 0, fmt.Errorf("content of an ACK: %w", err)
	}
	if !ack.GetSuccess() {
		return 0, fmt.Errorf("message %s was refused: %s", ack.GetOriginalMessageId(), ack.GetErrorMessage())
	}
	return strconv.ParseUint(ack.GetOriginalMessageId(), 10, 64)
}
