package cluster

import (
	"fmt"
	"strings"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// story is a room in which everything is right: two members, ten messages, of which nobody was told of the last.
func story() (log []*imv1.MessageResponse, said map[string]speech, heard []line) {
	said = map[string]speech{}
	for i := 1; i <= 10; i++ {
		user, content, id := []string{"a", "b"}[i%2], fmt.Sprint("says ", i), fmt.Sprint("id ", i)
		log = append(log, &imv1.MessageResponse{Seq: int64(i), FromUserId: user, Content: []byte(content), MessageId: id})
		m := speech{user: user, seq: int64(i), id: id}
		if i == 10 {
			m.seq, m.id = 0, ""
		}
		said[content] = m
		if user == "b" {
			heard = append(heard, line{int64(i), user, content})
		}
	}
	said["given up"] = speech{user: "a"}
	return log, said, heard
}

// TestAuditFinds: each kind of fault is found, and where there is none, none is.
func TestAuditFinds(t *testing.T) {
	for name, tt := range map[string]struct {
		plant func(log []*imv1.MessageResponse, said map[string]speech, heard []line) ([]*imv1.MessageResponse, []line)
		says  string
	}{
		"nothing": {func(log []*imv1.MessageResponse, _ map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			return log, heard
		}, ""},
		"a lost message": {func(log []*imv1.MessageResponse, said map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			said["lost"] = speech{user: "a", seq: 11, id: "id 11"}
			return log, heard
		}, "is lost"},
		"a message that is stored twice": {func(log []*imv1.MessageResponse, _ map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			return append(log, &imv1.MessageResponse{Seq: 11, FromUserId: "a", Content: []byte("says 2"), MessageId: "id 11"}), heard
		}, "came twice"},
		"another place": {func(log []*imv1.MessageResponse, said map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			said["says 2"] = speech{user: "a", seq: 4, id: "id 2"}
			return log, heard
		}, "was acknowledged as 4"},
		"a hole in the log": {func(log []*imv1.MessageResponse, said map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			delete(said, "says 4")
			return append(log[:3:3], log[4:]...), heard
		}, "place 4 has seq 5"},
		"a hole in what was heard": {func(log []*imv1.MessageResponse, _ map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			return log, append(heard[:2:2], heard[3:]...)
		}, "has not heard 5"},
		"a repetition": {func(log []*imv1.MessageResponse, _ map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			return log, append(heard, heard[4])
		}, "after 9"},
		"another order": {func(log []*imv1.MessageResponse, _ map[string]speech, heard []line) ([]*imv1.MessageResponse, []line) {
			heard[1], heard[2] = heard[2], heard[1]
			return log, heard
		}, "heard 3"},
	} {
		t.Run(name, func(t *testing.T) {
			log, said, heard := story()
			log, heard = tt.plant(log, said, heard)
			faults := strings.Join(append(auditLog(log, said), auditEar("a", heard, log)...), "\n")
			if (faults == "") != (tt.says == "") || !strings.Contains(faults, tt.says) {
				t.Errorf("it finds %q, want %q", faults, tt.says)
			}
		})
	}
}
