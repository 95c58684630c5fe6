package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// file puts a file of so many bytes into a folder of the test's own; only its length takes space.
func file(t *testing.T, name string, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAudioInTheChat: one sends a recording, the others read what it is and what was said, and can
// fetch it.
func TestAudioInTheChat(t *testing.T) {
	t.Parallel()
	d := newDictation(t)
	n := Start(t, d.config())
	alice := chat(t, n, "alice", "--nick", "Al")
	alice.sees("room lobby")
	bob := chat(t, n, "bob")
	bob.sees("room lobby")
	alice.sees("bob")
	alice.types("/audio " + file(t, "good morning.opus", 300_000))
	<-d.begun
	bob.sees("[audio] opus, 293.0 KiB http://" + n.HTTP + "/audio/")
	alice.sees("-- sending good morning.opus, 293.0 KiB")
	alice.sees("Al (you): [audio] opus, 293.0 KiB")
	d.answer <- "good morning, bob"
	bob.sees("! Al says in the recording: good morning, bob")
	alice.sees("! Al (you) says in the recording: good morning, bob")
	url := regexp.MustCompile(`http://\S+`).FindString(bob.lines())
	if status, body := fetchAudio(t, url, "bob"); status != http.StatusOK || len(body) != 300_000 {
		t.Errorf("%s: status %d, %d bytes", url, status, len(body))
	}
	if strings.Contains(alice.lines()+bob.lines(), "{") {
		t.Errorf("what only programs read is on a screen:\n%s\n%s", alice.lines(), bob.lines())
	}
	alice.leaves()
	bob.leaves()
}

// isInterrupted ends a chat that has not sent everything, which its exit code tells.
func (c *talker) isInterrupted() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		c.t.Fatal(err)
	}
	<-c.done
	if err := c.cmd.Wait(); c.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(c.lines(), "not everything was sent") {
		c.t.Errorf("%v\n%s", err, c.lines())
	}
}

// TestAudioThatTheChatCannotSend: the server's refusals are a line each, and the chat goes on.
func TestAudioThatTheChatCannotSend(t *testing.T) {
	t.Parallel()
	n := Start(t, "log: {level: info}\naudio: {max_bytes: 100KiB}\n")
	alice := chat(t, n, "alice", "--follow")
	alice.sees("room lobby")
	for path, want := range map[string]string{
		file(t, "long.opus", 100<<10+1):                       "long.opus is not sent: the recording has 102401 bytes; at most 102400 are allowed (AUDIO_TOO_LARGE)",
		file(t, "huge.opus", 1<<30):                           "huge.opus is not sent: the recording has 1073741824 bytes; at most 102400 are allowed (AUDIO_TOO_LARGE)",
		file(t, "program.exe", 10):                            `program.exe is not sent: format "exe" is not taken; opus, ogg, mp3, wav, m4a, aac, webm, flac, amr are (AUDIO_FORMAT)`,
		filepath.Join(t.TempDir(), "none.opus"):               "not sent: there is no file ",
		filepath.Dir(file(t, "something in a folder.mp3", 1)): " is a folder",
	} {
		alice.types("/audio " + path)
		alice.sees(want)
	}
	n.rewrite("log: {level: info}\nroom: {defaults: {allow_audio: false}}\n")
	n.AwaitMetric(1, "hermod_config_reloads_total", `result="applied"`)
	alice.types("/join quiet")
	alice.sees("room quiet")
	alice.types("/audio " + file(t, "hello.opus", 10))
	alice.sees("hello.opus is not sent: ")
	alice.sees("(AUDIO_NOT_ALLOWED)")
	alice.types("still here")
	alice.sees("alice (you): still here")
	if files := n.Blobs(); len(files) > 0 {
		t.Errorf("files %v", files)
	}
	alice.isInterrupted()
}

// TestLeavingTheChatEndsAnUpload, which leaves nothing at the node.
func TestLeavingTheChatEndsAnUpload(t *testing.T) {
	t.Parallel()
	n := Start(t, "audio: {max_bytes: 1GiB}\n")
	alice := chat(t, n, "alice")
	alice.sees("room lobby")
	alice.types("/audio " + file(t, "endless.opus", 1<<30))
	n.AwaitMetric(1, "hermod_audio_uploads_running")
	left := time.Now()
	alice.isInterrupted()
	if took := time.Since(left); took > 10*time.Second {
		t.Errorf("it took %s to leave", took)
	}
	alice.sees("-- 1 upload given up")
	n.AwaitMetric(1, "hermod_audio_uploads_total", `outcome="broken"`)
	if files := n.Blobs(); len(files) > 0 {
		t.Errorf("files %v", files)
	}
}
