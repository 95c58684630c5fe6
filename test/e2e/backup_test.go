package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestBackup makes a backup of a node that is sent messages all the while, restores it into a new folder
// and starts another node there: every message that was acknowledged before is there, in its order, with
// the recording, and the room continues without a hole.
func TestBackup(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	join(t, n.Calls(), "room", "alice", "bob")
	alice := n.Connect(Hello{User: "alice", Capabilities: "ack"}).Greeted()
	const before = 200
	for i := 1; i <= before; i++ {
		alice.Say("room", fmt.Sprintf("m%d", i), fmt.Sprint(i))
	}
	acknowledged(t, alice, before)
	sound := recording(100_000)
	uploaded, err := uploadAudio(t, n.Calls(), of("alice", sound), sound)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup.tar")
	during := n.sayUntil(t, before+1, func() {
		if said, err := hermodctl(t, "backup", "--conf", n.dataConf(t), file); err != nil || !strings.Contains(said, "1 recordings of 100000 bytes") {
			t.Errorf("backup: %v\n%s", err, said)
		}
	})
	if said, err := hermodctl(t, "restore", "--conf", n.dataConf(t), file); err == nil || !strings.Contains(said, "stop the node first") {
		t.Errorf("restore under a running node: %v\n%s", err, said)
	}

	restored := Prepare(t, "")
	if said, err := hermodctl(t, "restore", "--conf", restored.dataConf(t), file); err != nil {
		t.Fatalf("restore: %v\n%s", err, said)
	}
	restored.Boot()
	count := int(info(t, restored.Calls(), "room", "alice").GetRoomInfo().GetMessageCount())
	if count < before || count > before+during {
		t.Fatalf("the copy has %d messages; %d were acknowledged before, %d in all", count, before, before+during)
	}
	say(t, restored.Calls(), "room", "alice", "after")
	bob := restored.Connect(Hello{User: "bob"})
	expect(t, "bob's messages", contents(bob, count+1), append(numbers(1, count), "after")...)
	if status, body := fetchAudio(t, "http://"+restored.HTTP+"/audio/"+uploaded.GetAudioId(), "bob"); status != http.StatusOK || !bytes.Equal(body, sound) {
		t.Errorf("the recording: status %d, %d bytes", status, len(body))
	}
}

// TestRestoreIsAStepBack: a node that is stopped, put back to its backup and started again is as it was
// then, and what it had said since is kept aside.
func TestRestoreIsAStepBack(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	join(t, n.Calls(), "room", "alice", "bob")
	say(t, n.Calls(), "room", "alice", "1", "2")
	file := filepath.Join(t.TempDir(), "backup.tar")
	if said, err := hermodctl(t, "backup", "--conf", n.dataConf(t), file); err != nil {
		t.Fatalf("backup: %v\n%s", err, said)
	}
	if said, err := hermodctl(t, "backup", "--conf", n.dataConf(t), file); err == nil || !strings.Contains(said, "overwrites nothing") {
		t.Errorf("a second backup of that name: %v\n%s", err, said)
	}
	say(t, n.Calls(), "room", "alice", "3", "4")
	n.Kill()
	said, err := hermodctl(t, "restore", "--conf", n.dataConf(t), file)
	if err != nil || !strings.Contains(said, "what was there before: ") {
		t.Fatalf("restore: %v\n%s", err, said)
	}
	n.Boot()
	say(t, n.Calls(), "room", "alice", "other")
	expect(t, "bob's messages", contents(n.Connect(Hello{User: "bob"}), 3), "1", "2", "other")

	_, aside, _ := strings.Cut(said, "what was there before: ")
	old := Prepare(t, "data: {dir: "+strings.TrimSpace(aside)+"}")
	old.Boot()
	expect(t, "bob's messages on the old data", contents(old.Connect(Hello{User: "bob"}), 4), "1", "2", "3", "4")
}

// TestBackupOfAServer: hermodctl says what to do instead.
func TestBackupOfAServer(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, []byte("data: {database: {driver: postgres, dsn: 'postgres://u:hush@127.0.0.1/x'}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"backup", "restore"} {
		said, err := hermodctl(t, command, "--conf", file, "x.tar")
		if err == nil || !strings.Contains(said, "pg_dump") || strings.Contains(said, "hush") {
			t.Errorf("%s: %v\n%s", command, err, said)
		}
	}
}

// sayUntil has alice say numbers from first on, one after another, while what runs, and returns how many
// were acknowledged.
func (n *Node) sayUntil(t *testing.T, first int, what func()) (count int) {
	t.Helper()
	im, done, counted := n.Calls(), make(chan struct{}), make(chan int, 1)
	began := make(chan struct{})
	start := sync.OnceFunc(func() { close(began) })
	go func() {
		said := 0
		for {
			_, err := im.SendMessage(t.Context(), &imv1.SendMessageRequest{
				UserId: "alice", RoomId: "room", Type: text, Content: []byte(fmt.Sprint(first + said)),
			})
			if err != nil {
				t.Errorf("alice is refused: %v", err)
				start()
				break
			}
			said++
			start()
			select {
			case <-done:
				counted <- said
				return
			default:
			}
		}
		counted <- said
	}()
	<-began
	what()
	close(done)
	return <-counted
}

// dataConf is a configuration file that says where the node keeps its data.
func (n *Node) dataConf(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data.yaml")
	if err := os.WriteFile(file, []byte("data: {dir: "+n.dataDir(t)+"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
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

// dataDir is where the node keeps its database.
func (n *Node) dataDir(t *testing.T) string {
	t.Helper()
	for _, variable := range n.Env {
		if dir, ok := strings.CutPrefix(variable, "HERMOD_DATA_DIR="); ok && strings.HasPrefix(dir, filepath.Dir(n.LogFile)) {
			return dir
		}
	}
	t.Fatal("the node has no data folder of its own")
	return ""
}
