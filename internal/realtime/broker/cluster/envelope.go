package cluster

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// kind is what an envelope is.
type kind uint64

const (
	kindPublication kind = iota + 1
	kindHole             // what the sender published may not have come: on the channel, or on any
	kindRequest
	kindAnswer
	kindHello
	kindBye
)

// envelope is what nodes send each other: fields with numbers, of which those that are not known are
// skipped, so that nodes of two versions understand each other.
type envelope struct {
	kind    kind
	node    string // who sends it
	channel string
	seq     int64
	frame   []byte // encoded payload; nil: none
	own     []byte
	from    string
	flags   uint64
	id      uint64 // of a request, or the number of a hello
	body    []byte
	expires int64 // of the frame, nanoseconds since 1970; 0: never
	turn    frame.Turn
	name    string // by which a node knows what it had another one number

	ephemeral string
	// more are publications that follow on the channel, each an envelope with neither node nor channel. A node that
	// does not know of them finds that they are missing when the next one comes, or the head.
	more [][]byte
}

const (
	flagAckRequired = 1 << iota
	flagNotToFrom
	flagOwn // Own follows from Frame
)

// The numbers of the fields. One is never used for something else.
const (
	numKind protowire.Number = iota + 1
	numNode
	numChannel
	numSeq
	numFrame
	numOwn
	numFrom
	numFlags
	numID
	numBody
	numExpires
	numEpoch
	numNumber
	numName
	numEphemeral
	numMore
)

func (e *envelope) size() int {
	more := 0
	for _, m := range e.more {
		more += len(m) + 8
	}
	return 64 + more + len(e.node) + len(e.channel) + len(e.frame) + len(e.own) + len(e.from) + len(e.body) + len(e.turn.Epoch) + len(e.name) + len(e.ephemeral)
}

// marshal returns the envelope's bytes.
func (e *envelope) marshal() []byte {
	b := make([]byte, 0, e.size())
	number := func(n protowire.Number, v uint64) {
		if v != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
		}
	}
	text := func(n protowire.Number, v string) {
		if v != "" {
			b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
		}
	}
	data := func(n protowire.Number, v []byte) {
		if v != nil {
			b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
		}
	}
	number(numKind, uint64(e.kind))
	text(numNode, e.node)
	text(numChannel, e.channel)
	number(numSeq, uint64(e.seq))
	data(numFrame, e.frame)
	data(numOwn, e.own)
	text(numFrom, e.from)
	number(numFlags, e.flags)
	number(numID, e.id)
	data(numBody, e.body)
	number(numExpires, uint64(e.expires))
	text(numEpoch, e.turn.Epoch)
	number(numNumber, uint64(e.turn.Number))
	text(numName, e.name)
	text(numEphemeral, e.ephemeral)
	for _, m := range e.more {
		data(numMore, m)
	}
	return b
}

var errEnvelope = errors.New("cluster: not a message of a node")

// unmarshal reads an envelope, whose parts are parts of b.
func unmarshal(b []byte) (e envelope, err error) {
	if e, err = parse(b); err == nil && (e.kind == 0 || e.node == "") {
		err = errEnvelope
	}
	if err != nil {
		return envelope{}, err
	}
	return e, nil
}

// follower reads one of the publications that follow in e.
func (e *envelope) follower(b []byte) (envelope, error) {
	f, err := parse(b)
	f.kind, f.node, f.channel = e.kind, e.node, e.channel
	return f, err
}

func parse(b []byte) (e envelope, err error) {
	for len(b) > 0 {
		n, t, size := protowire.ConsumeTag(b)
		if size < 0 {
			return envelope{}, errEnvelope
		}
		b = b[size:]
		switch t {
		case protowire.VarintType:
			v, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return envelope{}, errEnvelope
			}
			b = b[size:]
			e.number(n, v)
		case protowire.BytesType:
			v, size := protowire.ConsumeBytes(b)
			if size < 0 {
				return envelope{}, errEnvelope
			}
			b = b[size:]
			e.data(n, v)
		default:
			size := protowire.ConsumeFieldValue(n, t, b)
			if size < 0 {
				return envelope{}, errEnvelope
			}
			b = b[size:]
		}
	}
	if e.seq < 0 || e.turn.Number < 0 {
		return envelope{}, errEnvelope
	}
	return e, nil
}

func (e *envelope) number(n protowire.Number, v uint64) {
	switch n {
	case numKind:
		e.kind = kind(v)
	case numSeq:
		e.seq = int64(v)
	case numFlags:
		e.flags = v
	case numID:
		e.id = v
	case numExpires:
		e.expires = int64(v)
	case numNumber:
		e.turn.Number = int64(v)
	}
}

func (e *envelope) data(n protowire.Number, v []byte) {
	switch n {
	case numNode:
		e.node = string(v)
	case numChannel:
		e.channel = string(v)
	case numFrame:
		e.frame = v
	case numOwn:
		e.own = v
	case numFrom:
		e.from = string(v)
	case numBody:
		e.body = v
	case numEpoch:
		e.turn.Epoch = string(v)
	case numName:
		e.name = string(v)
	case numEphemeral:
		e.ephemeral = string(v)
	case numMore:
		e.more = append(e.more, v)
	}
}

// Codec makes payloads of frames into bytes and back. It must be safe for concurrent use.
type Codec interface {
	// Append appends a payload's bytes to dst. What a frame that nodes send each other cannot be made
	// of is an error.
	Append(dst []byte, payload any) ([]byte, error)
	// Decode makes a payload of them again; it keeps no part of b. Whatever the bytes are, it does not panic.
	Decode(b []byte) (payload any, err error)
	// Own returns what the sender's other sessions get in the place of a payload, if that follows from it. It
	// can be compared with ==.
	Own(payload any) (own any, ok bool)
}

// seal makes an envelope of a publication. Origin and Reply stay: the session is on this node.
func seal(c Codec, node string, p *frame.Publication) (e envelope, err error) {
	e = envelope{kind: kindPublication, node: node, channel: p.Channel, seq: p.Seq, from: p.From, turn: p.Turn, name: p.ID, ephemeral: p.Ephemeral}
	if p.AckRequired {
		e.flags |= flagAckRequired
	}
	if p.NotToFrom {
		e.flags |= flagNotToFrom
	}
	if p.Frame != nil {
		if e.frame, err = c.Append([]byte{}, p.Frame.Payload()); err != nil {
			return envelope{}, fmt.Errorf("cluster: a publication cannot be encoded: %w", err)
		}
		if t := p.Frame.Expires(); !t.IsZero() {
			e.expires = t.UnixNano()
		}
	}
	switch {
	case p.Own == nil:
	case follows(c, p):
		e.flags |= flagOwn
	default:
		if e.own, err = c.Append([]byte{}, p.Own.Payload()); err != nil {
			return envelope{}, fmt.Errorf("cluster: a publication cannot be encoded: %w", err)
		}
	}
	return e, nil
}

// follows tells whether a publication's Own need not be sent.
func follows(c Codec, p *frame.Publication) bool {
	if p.Frame == nil {
		return false
	}
	own, ok := c.Own(p.Frame.Payload())
	return ok && own == p.Own.Payload() && p.Own.Expires().IsZero()
}

// open makes a publication of an envelope.
func (e *envelope) open(c Codec) (*frame.Publication, error) {
	p := &frame.Publication{
		Channel: e.channel, Seq: e.seq, From: e.from, Turn: e.turn, ID: e.name, Ephemeral: e.ephemeral, Bytes: len(e.frame) + len(e.own),
		AckRequired: e.flags&flagAckRequired != 0, NotToFrom: e.flags&flagNotToFrom != 0,
	}
	var expires time.Time
	if e.expires != 0 {
		expires = time.Unix(0, e.expires)
	}
	if e.frame != nil {
		payload, err := c.Decode(e.frame)
		if err != nil {
			return nil, err
		}
		p.Frame = frame.NewUntil(payload, expires)
		if own, ok := c.Own(payload); ok && e.flags&flagOwn != 0 {
			p.Own = frame.New(own)
		}
	}
	if e.own != nil {
		payload, err := c.Decode(e.own)
		if err != nil {
			return nil, err
		}
		p.Own = frame.New(payload)
	}
	return p, nil
}
