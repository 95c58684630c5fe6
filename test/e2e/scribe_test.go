package e2e

import (
	"strings"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestRoomAuditFindsFaults plants what a store must not do in a log that is right.
func TestRoomAuditFindsFaults(t *testing.T) {
	t.Parallel()
	frame := func(seq int64, user, content string) Frame {
		return Frame{MessageResponse: &imv1.MessageResponse{Seq: seq, MessageId: "id of " + content, FromUserId: user, Content: []byte(content)}}
	}
	said := map[string]*saying{
		"a": {user: "u", seq: 1, id: "id of a"},
		"b": {user: "u"}, // given up, and stored
		"c": {user: "u", seq: 3, id: "id of c"},
		"d": {user: "u"}, // given up, and not stored
	}
	right := []Frame{frame(1, "u", "a"), frame(2, "u", "b"), frame(3, "u", "c")}
	if faults := auditRoom(right, said); len(faults) > 0 {
		t.Errorf("in a log that is right: %q", faults)
	}
	for want, log := range map[string][]Frame{
		"lost":          right[:2],
		"twice":         append(right[:3:3], frame(4, "u", "b")),
		"never said":    append(right[:3:3], frame(4, "u", "e")),
		"place 2 has":   {right[0], right[2]},
		"as if by":      {right[0], frame(2, "v", "b"), right[2]},
		"stored as 2":   {right[0], frame(2, "u", "c"), frame(3, "u", "b")},
		"and stored as": {right[0], right[1], {MessageResponse: &imv1.MessageResponse{Seq: 3, MessageId: "x", FromUserId: "u", Content: []byte("c")}}},
	} {
		if faults := strings.Join(auditRoom(log, said), "; "); !strings.Contains(faults, want) {
			t.Errorf("found %q, not %q", faults, want)
		}
	}
}
