package recording

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

var (
	opusFormat   = format{names: []string{"opus", "ogg", "oga"}, measure: measureOpus, decode: decodeOpus}
	vorbisFormat = format{names: []string{"vorbis", "ogg", "oga"}, measure: measureVorbis, decode: decodeVorbis}
	oggFormat    = format{names: []string{"ogg", "oga", "ogx", "spx", "flac"}} // of another codec
	mp3Format    = format{names: []string{"mp3", "mpeg", "mpga"}, measure: measureMP3, decode: decodeMP3}
	wavFormat    = format{names: []string{"wav", "wave"}, measure: measureWAV, decode: decodeWAV}
	mp4Format    = format{names: []string{"m4a", "mp4", "m4b", "mov", "3gp", "3gpp"}, measure: measureMP4}
	aacFormat    = format{names: []string{"aac", "adts"}}
	webmFormat   = format{names: []string{"webm", "weba", "mkv", "mka"}}
	flacFormat   = format{names: []string{"flac"}}
	amrFormat    = format{names: []string{"amr", "awb"}}
)

func formatOf(name string) *format {
	for _, f := range []*format{&opusFormat, &vorbisFormat, &mp3Format, &wavFormat, &mp4Format} {
		if f.names[0] == name {
			return f
		}
	}
	return nil
}

// headBytes is what a format is recognised by, and the second page's beginning of Ogg.
const headBytes = 64

// recognise returns the format of a file, nil when it is none that is known.
func (in *input) recognise() (*format, error) {
	if err := in.skipID3(); err != nil {
		return nil, err
	}
	begin := in.at
	tagged := begin > 0
	head := make([]byte, headBytes)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	in.at = begin
	if f := byMagic(head[:n]); f != nil {
		return f, nil
	}
	if n < 8 || head[0] != 0xff || head[1]&0xe0 != 0xe0 {
		return nil, nil
	}
	return in.recogniseFrames(head, tagged)
}

// byMagic knows the formats that begin with something unmistakable.
func byMagic(head []byte) *format {
	has := func(at int, text string) bool { return len(head) > at && bytes.HasPrefix(head[at:], []byte(text)) }
	switch {
	case has(0, "OggS"):
		return oggCodec(head)
	case has(0, "RIFF") && has(8, "WAVE"):
		return &wavFormat
	case has(4, "ftyp"):
		return &mp4Format
	case has(0, "fLaC"):
		return &flacFormat
	case has(0, "#!AMR"):
		return &amrFormat
	case has(0, "\x1a\x45\xdf\xa3"):
		return &webmFormat
	}
	return nil
}

// oggCodec looks at the first packet, which is behind the header of the page and its table of one. A stream
// begins with a page that says so; whatever else begins like Ogg is none that is known.
func oggCodec(head []byte) *format {
	if len(head) < pageHeader+2 || head[4] != 0 || head[5]&beginOfStream == 0 {
		return nil
	}
	segments := int(head[pageHeader-1])
	packet := head[min(pageHeader+segments, len(head)):]
	switch {
	case bytes.HasPrefix(packet, []byte("OpusHead")):
		return &opusFormat
	case bytes.HasPrefix(packet, []byte("\x01vorbis")):
		return &vorbisFormat
	}
	return &oggFormat
}

// recogniseFrames tells MP3 from AAC, which begin alike. Anything may begin so: one frame must lead to another.
func (in *input) recogniseFrames(head []byte, tagged bool) (*format, error) {
	if head[1]&0x06 == 0 { // no layer: ADTS
		length := int64(head[3]&3)<<11 | int64(head[4])<<3 | int64(head[5])>>5
		next, begin := make([]byte, 2), in.at
		in.skip(length)
		_, err := io.ReadFull(in, next)
		in.at = begin
		if in.failed != nil {
			return nil, in.failed
		}
		if err == nil && length >= 7 && next[0] == 0xff && next[1]&0xf6 == 0xf0 || tagged {
			return &aacFormat, nil
		}
		return nil, nil
	}
	d, err := guard(func() (frames int64, err error) { return in.mp3Samples() })
	switch {
	case in.failed != nil:
		return nil, in.failed
	case err == nil && d >= 2*mp3FrameSamples || tagged:
		return &mp3Format, nil
	}
	return nil, nil
}

// skipID3 goes behind the tags that a file begins with.
func (in *input) skipID3() error {
	head := make([]byte, 10)
	for {
		begin := in.at
		if _, err := io.ReadFull(in, head); err != nil || string(head[:3]) != "ID3" || slices.Max(head[6:]) > 0x7f {
			in.at = begin
			return in.failed
		}
		n := binary.BigEndian.Uint32(head[6:])
		in.skip(int64(n&0x7f | n>>1&0x3f80 | n>>2&0x1fc000 | n>>3&0xfe00000))
		if head[5]&0x10 != 0 { // and a footer
			in.skip(10)
		}
	}
}
