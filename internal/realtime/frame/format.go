// Package frame holds what is written to clients: a message that is encoded once for each wire
// format, whatever the number of its receivers, and shared by all of them without locks.
package frame

import (
	"fmt"
	"sync/atomic"
)

// MaxFormats bounds how many wire formats a program may have; each Frame has a slot for each.
const MaxFormats = 8

var (
	formats atomic.Int32
	known   [MaxFormats]atomic.Pointer[Format]
)

// Named returns the wire format of a name, or nil.
func Named(name string) *Format {
	for i := range known {
		if f := known[i].Load(); f != nil && f.Name == name {
			return f
		}
	}
	return nil
}

// Encoders tell how a protocol writes its messages in one wire format. They must be safe for
// concurrent use.
type Encoders struct {
	// Name appears in metrics, for example "im.v1/proto".
	Name string
	// Body appends the encoded payload to dst.
	Body func(dst []byte, payload any) ([]byte, error)
	// Number appends what is put before a body to give it a link sequence: the only bytes that
	// differ from receiver to receiver. Nil: the format has none.
	Number func(dst []byte, link uint64) []byte
	// Bare is put before a body that gets no number. Only formats need it whose bodies are no whole
	// messages, since a number stands inside: a JSON object without its first brace.
	Bare []byte
	// Item appends what is put before a body of the given length to make it one item of an
	// envelope; an envelope is such items one after another, behind one Number. Nil: the format
	// has no envelopes.
	Item func(dst []byte, bodyLen int) []byte
	// Decode makes a payload of a body again, for a session that goes on over a connection of another
	// format, whose Body understands it. Nil: sessions stay with the format.
	Decode func(body []byte) (payload any, err error)
}

// Format is a wire format. Make one with NewFormat when the program starts.
type Format struct {
	Encoders
	slot int
}

// Prefix appends what is put before a body: its number, or with link 0 what stands for none.
func (f *Format) Prefix(dst []byte, link uint64) []byte {
	if link == 0 || f.Number == nil {
		return append(dst, f.Bare...)
	}
	return f.Number(dst, link)
}

// NewFormat registers a wire format. It panics beyond MaxFormats, a fault of the program itself.
func NewFormat(e Encoders) *Format {
	slot := int(formats.Add(1)) - 1
	if slot >= MaxFormats {
		panic(fmt.Sprintf("frame: more than %d formats", MaxFormats))
	}
	f := &Format{Encoders: e, slot: slot}
	known[slot].Store(f)
	return f
}
