package frame

import (
	"fmt"
	"sync/atomic"
	"time"
)

// maxItemHeader is room for an envelope item's tag and length before a body.
const maxItemHeader = 12

// Frame is one message on its way to any number of sessions. The payload must not change any more.
type Frame struct {
	payload any
	expires time.Time // zero: never
	encoded [MaxFormats]atomic.Pointer[Encoded]
}

// New returns a frame whose payload the encoders of the formats understand.
func New(payload any) *Frame { return &Frame{payload: payload} }

// NewUntil returns a frame that is not to be written for the first time after it has expired. The zero
// time is never.
func NewUntil(payload any, expires time.Time) *Frame {
	return &Frame{payload: payload, expires: expires}
}

// Expired tells whether the frame's time is over.
func (f *Frame) Expired(now time.Time) bool { return !f.expires.IsZero() && now.After(f.expires) }

// Expires is when that is; the zero time is never.
func (f *Frame) Expires() time.Time { return f.expires }

// Payload returns what the frame was made from, for brokers that carry it to other nodes.
func (f *Frame) Payload() any { return f.payload }

// In returns the frame in a wire format. The first caller encodes; should two be first at once,
// both do and one result is kept.
func (f *Frame) In(format *Format) (*Encoded, error) {
	slot := &f.encoded[format.slot]
	if e := slot.Load(); e != nil {
		return e, nil
	}
	e, err := format.encode(f.payload)
	if err != nil {
		return nil, err
	}
	e.expires = f.expires
	if slot.CompareAndSwap(nil, e) {
		return e, nil
	}
	return slot.Load(), nil
}

// Encoded is a frame in one format. Its bytes are shared: nobody may change them.
type Encoded struct {
	item   []byte // what makes the body an envelope's item, then the body
	header int
	// expires is the frame's.
	expires time.Time
	// Prepared is a form that a transport keeps with the frame, so that it is made once and not
	// once per receiver. Each format is used with one kind of transport's form.
	Prepared atomic.Pointer[any]
}

func (f *Format) encode(payload any) (*Encoded, error) {
	buf := make([]byte, maxItemHeader, maxItemHeader+256)
	buf, err := f.Body(buf, payload)
	if err != nil {
		return nil, err
	}
	if f.Item == nil {
		return &Encoded{item: buf[maxItemHeader:]}, nil
	}
	var scratch [maxItemHeader]byte
	header := f.Item(scratch[:0], len(buf)-maxItemHeader)
	start := maxItemHeader - len(header)
	copy(buf[start:], header)
	return &Encoded{item: buf[start:], header: len(header)}, nil
}

// Encoded returns the frame that was encoded as body, by another process that has the same format.
func (f *Format) Encoded(body []byte, expires time.Time) *Encoded {
	if f.Item == nil {
		return &Encoded{item: body, expires: expires}
	}
	header := f.Item(make([]byte, 0, maxItemHeader+len(body)), len(body))
	return &Encoded{item: append(header, body...), header: len(header), expires: expires}
}

// Recode returns an encoding of this format in another one.
func (f *Format) Recode(e *Encoded, to *Format) (*Encoded, error) {
	if f.Decode == nil {
		return nil, fmt.Errorf("frame: %s has no way to %s", f.Name, to.Name)
	}
	payload, err := f.Decode(e.Body())
	if err != nil {
		return nil, err
	}
	again, err := to.encode(payload)
	if err != nil {
		return nil, err
	}
	again.expires = e.expires
	return again, nil
}

// Body returns the message alone.
func (e *Encoded) Body() []byte { return e.item[e.header:] }

// Item returns the message as an item of an envelope.
func (e *Encoded) Item() []byte { return e.item }

// Expires is when the frame's time is over; the zero time is never.
func (e *Encoded) Expires() time.Time { return e.expires }

// Mortal tells whether the frame expires.
func (e *Encoded) Mortal() bool { return !e.expires.IsZero() }

// Expired tells whether the frame's time is over.
func (e *Encoded) Expired(now time.Time) bool { return e.Mortal() && now.After(e.expires) }

// Size is the number of bytes that the frame counts for in a queue.
func (e *Encoded) Size() int { return len(e.item) }
