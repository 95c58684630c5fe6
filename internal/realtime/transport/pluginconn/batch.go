package pluginconn

import (
	"sync"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// largest is the size up to which a batch's buffer is kept.
const largest = 128 << 10

// batch is frames as a plugin gets them: whole, one behind another in one buffer.
type batch struct {
	data   []byte
	ends   []int
	frames [][]byte
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// assemble puts numbers and bodies together.
func (c *Conn) assemble(out []transport.Outgoing) *batch {
	b, _ := batches.Get().(*batch)
	b.data, b.ends, b.frames = b.data[:0], b.ends[:0], b.frames[:0]
	for _, o := range out {
		b.data = append(c.format.Prefix(b.data, o.Link), o.Frame.Body()...)
		b.ends = append(b.ends, len(b.data))
	}
	begin := 0
	for _, end := range b.ends { // only now does the buffer stay where it is
		b.frames = append(b.frames, b.data[begin:end:end])
		begin = end
	}
	return b
}

// release lets the next one use the buffer.
func (b *batch) release() {
	if cap(b.data) <= largest {
		clear(b.frames)
		batches.Put(b)
	}
}
