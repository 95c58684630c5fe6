package recording

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/jfreymuth/vorbis"
)

// maxVorbisChannels keeps what the decoder sets aside for channels to a few megabytes.
const maxVorbisChannels = 8

// vorbisHead is the first packet of a stream.
type vorbisHead struct {
	packet   []byte
	channels int
	rate     int
	block    int64 // samples of the longer kind of packet
}

func readVorbisHead(o *oggPackets) (vorbisHead, error) {
	p, err := o.next()
	if err != nil {
		return vorbisHead{}, err
	}
	if len(p) < 30 || string(p[:7]) != "\x01vorbis" {
		return vorbisHead{}, errUnreadable
	}
	h := vorbisHead{
		packet: append([]byte(nil), p...), channels: int(p[11]),
		rate: int(binary.LittleEndian.Uint32(p[12:])), block: 1 << (p[28] >> 4),
	}
	if h.rate <= 0 || h.channels < 1 || h.channels > maxVorbisChannels {
		return vorbisHead{}, errUnreadable
	}
	return h, nil
}

// measureVorbis believes the last page, as far as the packets that are there can last that long.
func measureVorbis(in *input) (time.Duration, error) {
	in.at = 0
	o := newOggPackets(in)
	h, err := readVorbisHead(o)
	if err != nil {
		return 0, err
	}
	packets := int64(-2) // its comments and its tables
	for {
		_, err := o.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		packets++
	}
	most := max(packets, 0) * h.block / 2
	samples := most
	if end := int64(o.granule); end >= 0 && end < most {
		samples = end
	}
	return time.Duration(float64(samples) / float64(h.rate) * float64(time.Second)), nil
}

func decodeVorbis(in *input, peaks *peaks) error {
	in.at = 0
	o := newOggPackets(in)
	h, err := readVorbisHead(o)
	if err != nil {
		return err
	}
	d, err := newVorbisDecoder(o, h)
	if err != nil {
		return err
	}
	out := make([]float32, d.BufferSize())
	for {
		p, err := o.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		samples, err := d.DecodeInto(p, out)
		if err != nil {
			return err
		}
		peaks.add(samples, h.channels, h.rate)
	}
}

// newVorbisDecoder gives the decoder no comments, for which it would take the memory that they ask for, and
// its tables only when they are of a size that is met.
func newVorbisDecoder(o *oggPackets, h vorbisHead) (*vorbis.Decoder, error) {
	d := &vorbis.Decoder{}
	if err := d.ReadHeader(h.packet); err != nil {
		return nil, err
	}
	if _, err := o.next(); err != nil {
		return nil, err
	}
	setup, err := o.next()
	if err != nil {
		return nil, err
	}
	if err := checkCodebooks(setup); err != nil {
		return nil, err
	}
	if err := d.ReadHeader(setup); err != nil {
		return nil, err
	}
	return d, nil
}
