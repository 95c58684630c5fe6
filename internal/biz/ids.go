package biz

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Identifiers are opaque and compared byte by byte.
type (
	// UserID names an account (an openid).
	UserID string
	// RoomID names a room.
	RoomID string
	// DeviceID names one installation of a user. Empty is a device too: the one that all streams
	// without a device id share.
	DeviceID string
	// SessionID names a session on the gateway.
	SessionID string
)

// MaxIDBytes bounds every identifier that a client chooses: 255 bytes fit a unique index on every
// database, in any collation.
const MaxIDBytes = 255

// checkID refuses what a database would refuse, before it reaches a batch where it could fail its
// neighbours.
func checkID(name, id string) error {
	if id == "" {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "%s is empty", name)
	}
	return checkOptionalID(name, id)
}

func checkOptionalID(name, id string) error {
	if len(id) > MaxIDBytes {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "%s has %d bytes; at most %d are allowed", name, len(id), MaxIDBytes)
	}
	return checkText(name, id)
}

// checkText refuses invalid UTF-8 and NUL, which PostgreSQL cannot keep in text.
func checkText(name, s string) error {
	if !utf8.ValidString(s) {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "%s is not valid UTF-8: %s", name, quote(s))
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "%s has a NUL byte at position %d", name, i)
	}
	return nil
}

// maxQuoted bounds how much of a client's text an error repeats.
const maxQuoted = 64

// quote shows a text in an error: readable whatever it holds, and short however long it is.
func quote(s string) string {
	if len(s) <= maxQuoted {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:maxQuoted]) + "..."
}

func checkMetadata(md map[string]string, maxBytes int) error {
	size := 0
	for k, v := range md {
		if err := checkText("metadata key", k); err != nil {
			return err
		}
		if err := checkText("metadata "+quote(k), v); err != nil {
			return err
		}
		size += len(k) + len(v)
	}
	if size > maxBytes {
		return Errorf(KindInvalid, "METADATA_TOO_LARGE", "metadata has %d bytes; at most %d are allowed", size, maxBytes)
	}
	return nil
}
