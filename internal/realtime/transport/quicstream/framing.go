package quicstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// header is the length in front of a frame.
	header = 4
	// eager is how much of an announced frame is made room for before any of it has come.
	eager = 4 << 10
)

// breach is how a client broke the framing.
type breach string

func (b breach) Error() string { return string(b) }

// readFrame reads a frame of at most limit bytes. At the end of the source between two frames it returns
// io.EOF; a frame that is too long, and an end inside of one, are a breach.
func readFrame(src io.Reader, limit uint32) ([]byte, error) {
	var head [header]byte
	if _, err := io.ReadFull(src, head[:]); err != nil {
		return nil, within(err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > limit {
		return nil, breach(fmt.Sprintf("a frame of %d bytes; at most %d are allowed", size, limit))
	}
	if size <= eager {
		data := make([]byte, size)
		if _, err := io.ReadFull(src, data); err != nil {
			return nil, inside(err)
		}
		return data, nil
	}
	// Room for what comes, not for what was announced.
	data := bytes.NewBuffer(make([]byte, 0, eager))
	if _, err := io.CopyN(data, src, int64(size)); err != nil {
		return nil, inside(err)
	}
	return data.Bytes(), nil
}

// within is the error of a source that ends in a header, or before it.
func within(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return breach("the stream ended inside a frame")
	}
	return err
}

// inside is the error of a source that ends in a frame's bytes, or before the first of them.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return within(err)
}
