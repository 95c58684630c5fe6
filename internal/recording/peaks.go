package recording

import (
	"math"
	"time"
)

// parts is how many values a waveform has.
const parts = 64

// peaks are the loudest samples of equal parts of a recording.
type peaks struct {
	length float64 // seconds
	seen   int64   // samples of one channel
	loud   [parts]float32
}

func newPeaks(length time.Duration) *peaks { return &peaks{length: length.Seconds()} }

// add takes samples from -1 to 1 of channels that take turns. All calls have the same channels and rate.
func (p *peaks) add(samples []float32, channels, rate int) {
	if channels <= 0 || rate <= 0 {
		return
	}
	perPart := p.length * float64(rate) / parts
	for i := 0; i+channels <= len(samples); i += channels {
		part := min(int(float64(p.seen)/perPart), parts-1)
		for _, s := range samples[i : i+channels] {
			if s < 0 {
				s = -s
			}
			if s > p.loud[part] && s <= math.MaxFloat32 { // neither NaN nor infinite
				p.loud[part] = s
			}
		}
		p.seen++
	}
}

// values are the parts from 0 to 255, the loudest 255; all are 0 where there is nothing to hear.
func (p *peaks) values() []byte {
	loudest := float32(0)
	for _, l := range p.loud {
		loudest = max(loudest, l)
	}
	out := make([]byte, parts)
	if loudest < 1.0/(1<<14) { // noise of the coding
		return out
	}
	for i, l := range p.loud {
		out[i] = byte(math.Round(float64(l/loudest) * math.MaxUint8))
	}
	return out
}
