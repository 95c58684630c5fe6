package quicstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func framed(texts ...string) (data []byte) {
	for _, text := range texts {
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(text))), text...)
	}
	return data
}

// FuzzReadFrame reads whatever may come: frames until the end or a breach, however the bytes arrive, that
// written again are what was read, and never room for more than twice what has come.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{}, uint16(100))
	f.Add(framed("a", "", "bc"), uint16(2))
	f.Add(framed(string(make([]byte, eager+1)), "x"), uint16(60_000))
	f.Add([]byte{0, 0, 0}, uint16(10))
	f.Add([]byte{0, 0, 0xff, 0xff, 'x'}, uint16(0xffff))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint16(0xffff))
	f.Fuzz(func(t *testing.T, data []byte, limit uint16) {
		read := func(src io.Reader) (frames []string, end error) {
			for {
				frame, err := readFrame(src, uint32(limit))
				if err != nil {
					return frames, err
				}
				if len(frame) > int(limit) || cap(frame) > 2*max(eager, len(data)) {
					t.Fatalf("a frame of %d bytes with room for %d; the limit is %d, and %d came", len(frame), cap(frame), limit, len(data))
				}
				frames = append(frames, string(frame))
			}
		}
		whole, end := read(bytes.NewReader(data))
		parts, endOfParts := read(iotest.OneByteReader(bytes.NewReader(data)))
		again := framed(whole...)
		if !bytes.Equal(again, framed(parts...)) || end.Error() != endOfParts.Error() {
			t.Fatalf("at once %d frames and %v, byte by byte %d and %v", len(whole), end, len(parts), endOfParts)
		}
		var broken breach
		switch {
		case !bytes.HasPrefix(data, again):
			t.Fatalf("%d frames that were not written", len(whole))
		case errors.Is(end, io.EOF) != (len(again) == len(data)):
			t.Fatalf("%d bytes are left, and the end is %v", len(data)-len(again), end)
		case !errors.Is(end, io.EOF) && !errors.As(end, &broken):
			t.Fatalf("ended with %v", end)
		}
	})
}

// TestReadFrameTellsALossFromABreach: what a lost connection says is not for the client to answer for.
func TestReadFrameTellsALossFromABreach(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	for name, data := range map[string][]byte{"before": nil, "in a header": {0, 0}, "in a frame": {0, 0, 0, 5, 'x'}, "in a large one": {0, 0, 0xff, 0, 'x'}} {
		_, err := readFrame(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(lost)), 1<<20)
		if !errors.Is(err, lost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
