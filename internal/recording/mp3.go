package recording

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/hajimehoshi/go-mp3"
)

const (
	// mp3FrameSamples is what the shortest kind of frame has.
	mp3FrameSamples = 576
	// mp3Bytes is what the decoder makes of a sample: two channels of 16 bits.
	mp3Bytes = 4
)

// mp3Samples counts the samples of all frames from here on.
func (in *input) mp3Samples() (int64, error) {
	d, err := mp3.NewDecoder(&offset{in, in.at})
	if err != nil {
		return 0, err
	}
	return d.Length() / mp3Bytes, nil
}

// measureMP3 goes from frame to frame, since what a header says of a variable bit rate is the encoder's word.
func measureMP3(in *input) (time.Duration, error) {
	in.at = 0
	if err := in.skipID3(); err != nil { // the decoder would take memory for all of a tag
		return 0, err
	}
	d, err := mp3.NewDecoder(&offset{in, in.at})
	if err != nil {
		return 0, err
	}
	if d.SampleRate() <= 0 {
		return 0, errUnreadable
	}
	return time.Duration(d.Length()/mp3Bytes) * time.Second / time.Duration(d.SampleRate()), nil
}

func decodeMP3(in *input, p *peaks) error {
	in.at = 0
	if err := in.skipID3(); err != nil {
		return err
	}
	d, err := mp3.NewDecoder(streamed{in})
	if err != nil {
		return err
	}
	buf, out := make([]byte, 4608), make([]float32, 4608/2)
	for {
		n, err := io.ReadFull(d, buf)
		for i := range n / 2 {
			out[i] = float32(int16(binary.LittleEndian.Uint16(buf[2*i:]))) / (1 << 15)
		}
		p.add(out[:n/2], 2, d.SampleRate())
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// offset is what follows in a file, from its own beginning.
type offset struct {
	*input
	begin int64
}

// Seek implements io.Seeker.
func (o *offset) Seek(to int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		to += o.begin
	}
	at, err := o.input.Seek(to, whence)
	return at - o.begin, err
}
