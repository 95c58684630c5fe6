package recording

import (
	"encoding/binary"
	"io"
)

const (
	pageHeader    = 27
	beginOfStream = 2 // of the flags of a page
	// maxPacket is far more than a packet of sound has, and than the tables of Vorbis that are met.
	maxPacket = 256 << 10
	noGranule = ^uint64(0)
)

// oggPackets are the packets of the first stream in a file.
type oggPackets struct {
	in      *input
	serial  uint32
	begun   bool
	granule uint64 // the last that a page has named; noGranule: none
	table   []byte // lengths of what is left of the page
	packet  []byte
}

func newOggPackets(in *input) *oggPackets { return &oggPackets{in: in, granule: noGranule} }

// next returns a packet, valid until the following call, and io.EOF where the stream ends or breaks off.
func (o *oggPackets) next() ([]byte, error) {
	o.packet = o.packet[:0]
	for {
		if len(o.table) == 0 {
			if err := o.page(); err != nil {
				return nil, err
			}
			continue
		}
		n := int(o.table[0])
		o.table = o.table[1:]
		if len(o.packet)+n > maxPacket {
			return nil, errUnreadable
		}
		begin := len(o.packet)
		o.packet = append(o.packet, make([]byte, n)...)
		if _, err := io.ReadFull(o.in, o.packet[begin:]); err != nil {
			return nil, io.EOF
		}
		if n < 255 {
			return o.packet, nil
		}
	}
}

// page reads the header of the next page of the stream.
func (o *oggPackets) page() error {
	head := make([]byte, pageHeader)
	for {
		if _, err := io.ReadFull(o.in, head); err != nil || string(head[:4]) != "OggS" {
			return io.EOF
		}
		table := make([]byte, head[pageHeader-1])
		if _, err := io.ReadFull(o.in, table); err != nil {
			return io.EOF
		}
		serial := binary.LittleEndian.Uint32(head[14:])
		if o.begun && serial != o.serial { // another stream that is woven in
			for _, n := range table {
				o.in.skip(int64(n))
			}
			continue
		}
		o.begun, o.serial, o.table = true, serial, table
		if g := binary.LittleEndian.Uint64(head[6:]); g != noGranule {
			o.granule = g
		}
		return nil
	}
}
