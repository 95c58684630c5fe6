package cluster

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/game-im/hermod/internal/realtime/broker"
)

// maxPlain bounds the names that are subjects as they are.
const maxPlain = 64

// subjects names what the engine knows: letters, digits, colon, dash, underscore, tilde and, between
// the parts, dots. No engine takes those for patterns or separators, whatever a room is called.
type subjects struct{ prefix string }

func newSubjects(name string) (subjects, error) {
	if len(name) == 0 || len(name) > maxPlain || !plain(name) {
		return subjects{}, fmt.Errorf("cluster: name %q: it takes 1 to %d letters, digits, dashes and underscores", name, maxPlain)
	}
	return subjects{prefix: name}, nil
}

// channel is the subject of a channel. A name that is long or has other characters goes by its hash;
// the messages have the name itself.
func (s subjects) channel(name string) string {
	if name == broker.EveryNode {
		return s.prefix + ".all"
	}
	if len(name) <= maxPlain && plain(name) {
		return s.prefix + ".c." + name
	}
	sum := sha256.Sum256([]byte(name))
	return s.prefix + ".c.~" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == ':', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(name) > 0
}
