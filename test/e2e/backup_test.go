package e2e

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // what the node's own driver is made of

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestBackup makes the copy that docs/deployment.md describes, of a node that goes on storing, and
// starts another node on it: what was acknowledged before is there, in its order, and the room
// continues without a hole.
func TestBackup(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	join(t, n.Calls(), "room", "alice", "bob")
	alice := n.Connect(Hello{User: "alice", Capabilities: "ack"}).Greeted()
	const before, during = 200, 400
	for i := 1; i <= before; i++ {
		alice.Say("room", fmt.Sprintf("m%d", i), fmt.Sprint(i))
	}
	acknowledged(t, alice, before)
	for i := before + 1; i <= before+during; i++ {
		alice.Say("room", fmt.Sprintf("m%d", i), fmt.Sprint(i))
	}
	copied := filepath.Join(t.TempDir(), "hermod.db")
	vacuumInto(t, filepath.Join(n.dataDir(t), "hermod.db"), copied)
	acknowledged(t, alice, during)

	restored := Prepare(t, "")
	if err := os.MkdirAll(restored.dataDir(t), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(copied, filepath.Join(restored.dataDir(t), "hermod.db")); err != nil {
		t.Fatal(err)
	}
	restored.Boot()
	count := int(info(t, restored.Calls(), "room", "alice").GetRoomInfo().GetMessageCount())
	if count < before || count > before+during {
		t.Fatalf("the copy has %d messages; %d were acknowledged before, %d in all", count, before, before+during)
	}
	say(t, restored.Calls(), "room", "alice", "after")
	bob := restored.Connect(Hello{User: "bob"})
	expect(t, "bob's messages", contents(bob, count+1), append(numbers(1, count), "after")...)
}

// acknowledged takes ACKs until there are as many as wanted.
func acknowledged(t *testing.T, s *Stream, count int) {
	t.Helper()
	for range count {
		f := s.Until("an ACK", func(f Frame) bool { return f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK })
		if ack := f.Ack(t); !ack.GetSuccess() {
			t.Fatalf("refused: %v", ack)
		}
	}
}

// vacuumInto is what `sqlite3 FILE "VACUUM INTO 'COPY'"` does.
func vacuumInto(t *testing.T, file, into string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(within(t), "VACUUM INTO ?", into); err != nil {
		t.Fatal(err)
	}
}

// dataDir is where the node keeps its database.
func (n *Node) dataDir(t *testing.T) string {
	t.Helper()
	for _, variable := range n.env {
		if dir, ok := strings.CutPrefix(variable, "HERMOD_DATA_DIR="); ok && strings.HasPrefix(dir, filepath.Dir(n.log)) {
			return dir
		}
	}
	t.Fatal("the node has no data folder of its own")
	return ""
}
