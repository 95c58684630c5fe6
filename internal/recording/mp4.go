package recording

import (
	"math"
	"time"

	"github.com/abema/go-mp4"
)

// maxBox is more than any box has that is looked into: those of fragments name each sample.
const maxBox = 1 << 20

// measureMP4 believes the file's header, or adds up the fragments of one that was recorded as it went.
// Its samples are not looked at; that there are bytes enough for them, Inspect asks.
func measureMP4(in *input) (time.Duration, error) {
	in.at = 0
	boxes, err := mp4.ExtractBoxes(in, nil, []mp4.BoxPath{
		{mp4.BoxTypeMoov(), mp4.BoxTypeMvhd()},
		{mp4.BoxTypeMoov(), mp4.BoxTypeTrak(), mp4.BoxTypeMdia(), mp4.BoxTypeMdhd()},
		{mp4.BoxTypeMoof(), mp4.BoxTypeTraf(), mp4.BoxTypeTfhd()},
		{mp4.BoxTypeMoof(), mp4.BoxTypeTraf(), mp4.BoxTypeTrun()},
	})
	if err != nil && len(boxes) == 0 {
		return 0, err
	}
	var m movie
	for _, b := range boxes {
		if b.Size > maxBox {
			return 0, errUnreadable
		}
		if _, err := b.SeekToPayload(in); err != nil {
			return 0, err
		}
		box, _, err := mp4.UnmarshalAny(in, b.Type, b.Size-b.HeaderSize, b.Context)
		if err != nil {
			return 0, err
		}
		m.add(box)
	}
	return m.duration(), nil
}

// movie is what is known of a file so far.
type movie struct {
	length, scale uint64 // of the whole
	media         uint64 // the time scale of the first track
	track         uint32 // the one whose fragments are added up; 0: none yet
	current       *mp4.Tfhd
	fragments     uint64 // in the media's time scale
}

func (m *movie) add(box mp4.IBox) {
	switch b := box.(type) {
	case *mp4.Mvhd:
		m.length, m.scale = uint64(b.DurationV0), uint64(b.Timescale)
		if b.GetVersion() == 1 {
			m.length = b.DurationV1
		}
	case *mp4.Mdhd:
		if m.media == 0 {
			m.media = uint64(b.Timescale)
		}
	case *mp4.Tfhd:
		m.current = b
		if m.track == 0 {
			m.track = b.TrackID
		}
	case *mp4.Trun:
		if m.current == nil || m.current.TrackID != m.track {
			return
		}
		if !b.CheckFlag(0x000100) { // no durations of their own
			m.fragments += uint64(m.current.DefaultSampleDuration) * uint64(b.SampleCount)
			return
		}
		for i := range b.Entries {
			m.fragments += uint64(b.Entries[i].SampleDuration)
		}
	}
}

func (m *movie) duration() time.Duration {
	length, scale := m.length, m.scale
	if m.fragments > 0 {
		length, scale = m.fragments, m.media
	}
	if scale == 0 {
		return 0
	}
	seconds := float64(length) / float64(scale)
	if seconds > math.MaxInt32 {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
