package recording

import (
	"encoding/binary"
	"io"
	"math"
	"time"
)

// The codings of sound in a WAV file.
const (
	wavPCM        = 1
	wavFloat      = 3
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
)

// wave is what a WAV file says of its sound, and how much of that is there.
type wave struct {
	coding, channels, bits int
	rate                   int
	block                  int   // bytes of a sample of all channels
	perSecond              int   // bytes
	data                   int64 // bytes that are in the file
}

// readWave stops where the sound begins.
func readWave(in *input) (wave, error) {
	in.at = 12
	var w wave
	for in.left() >= 8 {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return wave{}, err
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		begin := in.at
		switch string(head[:4]) {
		case "fmt ":
			if err := w.read(in, size); err != nil {
				return wave{}, err
			}
		case "data":
			if w.perSecond <= 0 || w.block <= 0 || w.channels <= 0 {
				return wave{}, errUnreadable
			}
			w.data = min(size, in.left()) // recorders that were killed leave 0 or 0xffffffff
			if size == 0 {
				w.data = in.left()
			}
			return w, nil
		}
		in.at = begin + size + size&1
	}
	return wave{}, errUnreadable
}

func (w *wave) read(in *input, size int64) error {
	var f [26]byte
	n, err := io.ReadFull(in, f[:min(max(size, 0), int64(len(f)))])
	if err != nil || n < 16 {
		return errUnreadable
	}
	le := binary.LittleEndian
	w.coding, w.channels = int(le.Uint16(f[0:])), int(le.Uint16(f[2:]))
	w.rate, w.perSecond = int(le.Uint32(f[4:])), int(le.Uint32(f[8:]))
	w.block, w.bits = int(le.Uint16(f[12:])), int(le.Uint16(f[14:]))
	if w.coding == wavExtensible && n == len(f) {
		w.coding = int(le.Uint16(f[24:]))
	}
	switch w.coding {
	case wavPCM, wavFloat, wavALaw, wavMuLaw: // where what a second takes can be known, it is not believed
		w.block = w.channels * ((w.bits + 7) / 8)
		w.perSecond = w.block * w.rate
	}
	return nil
}

func measureWAV(in *input) (time.Duration, error) {
	w, err := readWave(in)
	if err != nil {
		return 0, err
	}
	return time.Duration(float64(w.data) / float64(w.perSecond) * float64(time.Second)), nil
}

func decodeWAV(in *input, p *peaks) error {
	w, err := readWave(in)
	if err != nil {
		return err
	}
	decode, bytes := w.decoder()
	if decode == nil || w.rate <= 0 || w.block > window {
		return errUnreadable
	}
	buf := make([]byte, window/w.block*w.block)
	out := make([]float32, len(buf)/bytes)
	rest := io.LimitReader(in, w.data)
	for {
		n, err := io.ReadFull(rest, buf)
		n = n / w.block * w.block
		for i := range n / bytes {
			out[i] = decode(buf[i*bytes:])
		}
		p.add(out[:n/bytes], w.channels, w.rate)
		if err != nil {
			return nil // the end, or where it breaks off
		}
	}
}

// decoder returns what makes a number from -1 to 1 of a sample, and the bytes that a sample has.
func (w *wave) decoder() (decode func([]byte) float32, bytes int) {
	le := binary.LittleEndian
	switch {
	case w.coding == wavPCM && w.bits == 8:
		return func(b []byte) float32 { return (float32(b[0]) - 128) / 128 }, 1
	case w.coding == wavPCM && w.bits == 16:
		return func(b []byte) float32 { return float32(int16(le.Uint16(b))) / (1 << 15) }, 2
	case w.coding == wavPCM && w.bits == 24:
		return func(b []byte) float32 { return float32(int32(b[0])<<8|int32(b[1])<<16|int32(b[2])<<24) / (1 << 31) }, 3
	case w.coding == wavPCM && w.bits == 32:
		return func(b []byte) float32 { return float32(int32(le.Uint32(b))) / (1 << 31) }, 4
	case w.coding == wavFloat && w.bits == 32:
		return func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }, 4
	}
	return nil, 0
}
