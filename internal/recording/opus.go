package recording

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/pion/opus"
)

const (
	opusRate = 48000
	// opusHeard is the rate that a waveform is made from: enough for loudness, at a fraction of the work.
	opusHeard = 8000
	// opusPacket is the longest that a packet lasts, in samples of opusRate: 120 ms.
	opusPacket = 5760
)

// opusHead reads the first packet of a stream and goes behind the second.
func opusHead(o *oggPackets) (preSkip int64, mapped bool, err error) {
	head, err := o.next()
	if err != nil {
		return 0, false, err
	}
	if len(head) < 19 || string(head[:8]) != "OpusHead" {
		return 0, false, errUnreadable
	}
	preSkip, mapped = int64(binary.LittleEndian.Uint16(head[10:])), head[18] != 0
	_, err = o.next() // its tags
	return preSkip, mapped, err
}

// measureOpus adds up what the packets last: that they are there, no header can pretend.
func measureOpus(in *input) (time.Duration, error) {
	in.at = 0
	o := newOggPackets(in)
	preSkip, _, err := opusHead(o)
	if err != nil {
		return 0, err
	}
	samples := int64(0)
	for {
		p, err := o.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		samples += opusSamples(p)
	}
	if end := int64(o.granule); end > 0 && end < samples && samples-end <= opusPacket { // the last packet is cut
		samples = end
	}
	return time.Duration(max(samples-preSkip, 0)) * time.Second / opusRate, nil
}

// opusSamples is what a packet lasts, by its first byte or two (RFC 6716, section 3.1).
func opusSamples(p []byte) int64 {
	if len(p) == 0 {
		return 0
	}
	var frame int64
	switch config := p[0] >> 3; {
	case config < 12:
		frame = []int64{480, 960, 1920, 2880}[config&3]
	case config < 16:
		frame = []int64{480, 960}[config&1]
	default:
		frame = []int64{120, 240, 480, 960}[config&3]
	}
	count := int64(1)
	switch p[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(p) < 2 {
			return 0
		}
		count = int64(p[1] & 0x3f)
	}
	return min(frame*count, opusPacket)
}

func decodeOpus(in *input, peaks *peaks) error {
	in.at = 0
	o := newOggPackets(in)
	preSkip, mapped, err := opusHead(o)
	if err != nil {
		return err
	}
	if mapped { // more channels than the decoder has streams for
		return errUnreadable
	}
	d, err := opus.NewDecoderWithOutput(opusHeard, 1)
	if err != nil {
		return err
	}
	out := make([]float32, opusPacket)
	skip := int(preSkip * opusHeard / opusRate)
	for {
		p, err := o.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := d.DecodeToFloat32(p, out)
		if err != nil { // one packet that is broken is silence
			n = int(opusSamples(p) * opusHeard / opusRate)
			clear(out[:n])
		}
		from := min(skip, n)
		skip -= from
		peaks.add(out[from:n], 1, opusHeard)
	}
}
