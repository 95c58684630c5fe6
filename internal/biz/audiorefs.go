package biz

import (
	"bytes"
	"slices"

	"github.com/google/uuid"
)

const (
	// maxAudioRefs is how many recordings a message can keep from being deleted; it may name more.
	maxAudioRefs = 16
	// audioIDLength is that of a UUID, and firstDash where one has its first dash.
	audioIDLength, firstDash = 36, 8
	// audioPath is what the address of a recording has before its id.
	audioPath = "/audio/"
)

// AudioRefs returns the recordings that a message refers to, in the order of their ids: an AUDIO message by
// having their id anywhere in its content or metadata, however those are encoded, any other one by having
// their address. More than 16 are not looked for. Content stays opaque: ids are found by their shape.
func AudioRefs(m *Message) []AudioID {
	find := afterPath
	if m.Type == TypeAudio {
		find = anywhere
	}
	found := find(nil, m.Content)
	for _, v := range m.Metadata {
		if len(v) >= audioIDLength {
			found = find(found, []byte(v))
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// anywhere looks at what is around each dash.
func anywhere(found []AudioID, text []byte) []AudioID {
	for at := 0; len(found) < maxAudioRefs; at++ {
		next := bytes.IndexByte(text[at:], '-')
		if next < 0 {
			break
		}
		at += next
		if at < firstDash {
			continue
		}
		if id, ok := audioIDAt(text[at-firstDash:]); ok {
			found = append(found, id)
			at += audioIDLength - firstDash - 1
		}
	}
	return found
}

func afterPath(found []AudioID, text []byte) []AudioID {
	for len(found) < maxAudioRefs {
		at := bytes.Index(text, []byte(audioPath))
		if at < 0 {
			break
		}
		text = text[at+len(audioPath):]
		if id, ok := audioIDAt(text); ok {
			found = append(found, id)
		}
	}
	return found
}

// audioIDAt returns the id that a text begins with, as nodes write it: in lower case, of version 7.
func audioIDAt(text []byte) (AudioID, bool) {
	if len(text) < audioIDLength || text[14] != '7' {
		return "", false
	}
	id := string(text[:audioIDLength])
	parsed, err := uuid.Parse(id)
	return AudioID(id), err == nil && parsed.String() == id
}
