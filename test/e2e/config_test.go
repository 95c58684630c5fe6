package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"

	"github.com/game-im/hermod/test/process"
)

// rewrite puts another configuration in the place of the node's file, as an editor does.
func (n *Node) rewrite(yaml string) {
	n.t.Helper()
	file := n.Args[len(n.Args)-1]
	if err := os.WriteFile(file+"~", []byte(yaml), 0o600); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		n.t.Fatal(err)
	}
}

// logs waits until the node has written a line that has all of the texts.
func (n *Node) logs(texts ...string) {
	n.t.Helper()
	n.eventually("a line with "+strings.Join(texts, " and "), func() bool { return n.lines(texts...) > 0 })
}

// lines counts the lines of the log that have all of the texts.
func (n *Node) lines(texts ...string) (count int) {
	for line := range strings.Lines(n.Log()) {
		has := true
		for _, text := range texts {
			has = has && strings.Contains(line, text)
		}
		if has {
			count++
		}
	}
	return count
}

// burst sends messages on a stream as fast as it goes and returns how many were refused.
func burst(t *testing.T, s *Stream, count int) (refused int) {
	t.Helper()
	for range count {
		s.Send(&imv1.MessageRequest{RoomId: "room", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("x")})
	}
	for range count {
		if m := s.Next(); m.GetMetadata()["reason"] == "RATE_LIMITED" {
			refused++
		}
	}
	return refused
}

// TestConfigurationChangesLive: what can change does so for sessions that are open, with a line in
// the log; what cannot waits; what is wrong is refused, and the node goes on with what it has.
func TestConfigurationChangesLive(t *testing.T) {
	t.Parallel()
	n := Start(t, "log: {level: info}\nsession: {sends_per_second: 1000, send_burst: 2000}\n")
	alice := n.Connect(Hello{User: "alice", Room: "room", Capabilities: "ack"})
	if refused := burst(t, alice, 50); refused > 0 {
		t.Errorf("%d refused before any change", refused)
	}

	n.rewrite("log: {level: info}\nsession: {sends_per_second: 1, send_burst: 5}\n")
	n.logs("configuration changed", "key=session.sends_per_second", "old=1000", "new=1")
	n.logs("configuration changed", "key=session.send_burst", "old=2000", "new=5")
	if refused := burst(t, alice, 50); refused < 40 {
		t.Errorf("only %d of 50 refused with 5 at once and 1 a second", refused)
	}

	n.rewrite("log: {level: info}\nsession: {sends_per_second: 0}\nnonsense: 1\n")
	n.logs("the running configuration stays", "session.sends_per_second: 0 is too small", "nonsense: no such key")
	n.AwaitMetric(1, "hermod_config_reloads_total", `result="refused"`)
	if !n.Ready() {
		t.Error("not ready after a configuration was refused")
	}
	if refused := burst(t, alice, 50); refused < 40 {
		t.Errorf("only %d of 50 refused: the running limit did not stay", refused)
	}

	n.rewrite("log: {level: warn}\nsession: {sends_per_second: 1000, send_burst: 2000}\nserver: {stop: {drain: 2s}}\n")
	n.logs("waits for a restart", "key=server.stop.drain", "old=1s", "new=2s")
	n.logs("key=log.level", "old=info", "new=warn")
	if status, body := n.Page("/readyz"); status != http.StatusOK || !strings.Contains(body, "waits for a restart: server.stop.drain") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if got := n.Metric("hermod_config_waiting_keys"); got != 1 {
		t.Errorf("%g keys wait, want 1", got)
	}
	n.eventually("the old rate", func() bool { return burst(t, alice, 10) == 0 })

	before := n.lines("level=INFO")
	n.Restart()
	if n.lines("level=INFO") > before {
		t.Error("the level of the log is not the new one")
	}
	if _, body := n.Page("/readyz"); strings.Contains(body, "restart") {
		t.Errorf("after the restart /readyz says %s", body)
	}
}

// TestEveryPartTakesNewSettings: rooms, messages, pushes, streams and uploads, on a node that runs.
func TestEveryPartTakesNewSettings(t *testing.T) {
	t.Parallel()
	n := Start(t, "log: {level: info}\n")
	im := n.Calls()
	join(t, im, "old", "alice")
	large := strings.Repeat("x", 2<<10)
	say(t, im, "old", "alice", large)
	alice := n.Connect(Hello{User: "alice"})
	if got := alice.Header("heartbeat-seconds"); got != "30" {
		t.Errorf("told %q", got)
	}
	n.rewrite(`
room: {auto_create: false}
message: {max_content_bytes: 1KiB}
push: {max_bytes: 1KiB}
session: {heartbeat: 10s, resume_window: 0s}
`)
	n.logs("configuration changed", "key=push.max_bytes", "old=1MiB", "new=1KiB")
	_, err := im.JoinRoom(within(t), &imv1.JoinRoomRequest{UserId: "alice", RoomId: "new"})
	refused(t, "a new room", err, codes.NotFound, "ROOM_NOT_FOUND")
	_, err = im.SendMessage(within(t), &imv1.SendMessageRequest{
		UserId: "alice", RoomId: "old", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(large),
	})
	refused(t, "a large message", err, codes.InvalidArgument, "CONTENT_TOO_LARGE")
	if resp := pushTo(t, within(t), n.Pushes(), "alice", large); resp.GetSuccess() {
		t.Errorf("a large push: %v", resp)
	}
	bob := n.Connect(Hello{User: "bob", Room: "old", Capabilities: "resume"})
	if got := bob.Header("heartbeat-seconds"); got != "10" {
		t.Errorf("told %q", got)
	}
	bob.Cut()
	n.eventually("no session waits for its client", func() bool {
		return n.Metric("hermod_sessions", `state="detached"`) == 0 && n.Metric("hermod_sessions", `state="active"`) == 1
	})

	recorded := recording(2 << 10)
	if _, err := uploadAudio(t, im, in("old", of("alice", recorded)), recorded); err != nil {
		t.Error(err)
	}
	n.rewrite("message: {max_content_bytes: 1KiB}\naudio: {max_bytes: 1KiB, formats: [opus, flac], transcription: {attempts: 2}}\n")
	n.logs("configuration changed", "key=audio.transcription.attempts", "old=5", "new=2")
	n.logs("configuration changed", "key=audio.formats", `new="[opus, flac]"`)
	n.AwaitMetric(2, "hermod_config_reloads_total", `result="applied"`) // the lines come first
	_, err = uploadAudio(t, im, in("old", of("alice", recorded)), recorded)
	refused(t, "a large recording", err, codes.InvalidArgument, "AUDIO_TOO_LARGE")

	n.rewrite("message: {max_content_bytes: 2MiB}\n")
	n.logs("waits for a restart", "key=message.max_content_bytes", "old=1KiB", "new=2MiB")
}

// TestHangupReadsTheConfiguration: SIGHUP does, whether something seems to have changed or not.
func TestHangupReadsTheConfiguration(t *testing.T) {
	t.Parallel()
	n := Start(t, "log: {level: info}\n")
	if err := n.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.logs("configuration read again: it is the one that the node runs with")
	n.rewrite("nonsense: 1\n")
	n.logs("nonsense: no such key")
	if err := n.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.eventually("the problem once more", func() bool { return n.lines("nonsense: no such key") == 2 })
	if !n.Ready() {
		t.Error("not ready")
	}
}

// TestCentreThatIsDown: a node whose configuration cannot be had says so, tries again for a while and
// ends with 1; an address that is wrong ends it at once with 2. Neither shows a password.
func TestCentreThatIsDown(t *testing.T) {
	t.Parallel()
	n := Prepare(t, "")
	n.Env = append(n.Env, "HERMOD_CONF=consul://127.0.0.1:1/hermod.yaml?token=hush")
	begun := time.Now()
	code, output := n.fails()
	if code != 1 || !strings.Contains(output, "configuration at consul://127.0.0.1:1/hermod.yaml cannot be reached") || !strings.Contains(output, "tried 5 times") {
		t.Errorf("exit code %d, output %s", code, output)
	}
	if took := time.Since(begun); took < 10*time.Second {
		t.Errorf("gave up after %s", took)
	}
	wrong := Prepare(t, "", "-conf", "consul://127.0.0.1:1/hermod.yaml?tokn=hush")
	code, said := wrong.fails()
	if code != 2 || !strings.Contains(said, `"tokn" is not known`) {
		t.Errorf("exit code %d, output %s", code, said)
	}
	if strings.Contains(output+said, "hush") {
		t.Errorf("a password is shown:\n%s\n%s", output, said)
	}
}

// ctl runs hermodctl in the environment of a node.
func (n *Node) ctl(args ...string) (output string, code int) {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), process.Program("hermodctl"), args...)
	cmd.Env, cmd.Dir = n.Env, filepath.Dir(n.LogFile)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		n.t.Fatal(err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

// TestDoctorBesideANode: before a node runs, while it runs, and when something else has its port.
func TestDoctorBesideANode(t *testing.T) {
	t.Parallel()
	n := Prepare(t, "log: {level: info}\n")
	quic := freeAddr(t)
	n.Env = append(n.Env, "HERMOD_QUIC_ADDR="+quic)
	doctor := append([]string{"doctor"}, "--im", n.IM, "--grpc", n.Gateway, "--http", n.HTTP, "--ops", n.Ops)
	expects := func(when string, wantCode int, args []string, wanted ...string) {
		t.Helper()
		said, code := n.ctl(args...)
		if code != wantCode {
			t.Errorf("%s: exit code %d, want %d", when, code, wantCode)
		}
		for _, want := range wanted {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not in\n%s", when, want, said)
			}
		}
	}
	expects("before", 0, doctor, "server.im.addr "+n.IM+" is free", "server.quic.addr "+quic+" is free", "can be made", "no database yet")
	n.Boot()
	expects("meanwhile", 0, doctor, n.IM+" is held by a Hermod that is serving", n.Gateway+" is held by a Hermod that is serving", n.HTTP+" is held by a Hermod that is serving",
		quic+" is held by a Hermod that is serving", n.Ops+" is held by a Hermod that is ready", "is writable", "the database can be read, schema version")
	expects("another program", 1, []string{"doctor", "--im", n.Ops, "--grpc", n.Gateway, "--http", n.HTTP, "--ops", freeAddr(t)},
		"server.im.addr "+n.Ops+" is held by another program", "set server.im.addr to another port", "something has to be done")
	expects("a wrong configuration", 1, []string{"doctor", "--im", "nonsense"}, "server.im.addr", "[flag -im]")
	n.Stop()
	said, code := n.ctl(append(doctor, "--json")...)
	var findings []struct{ Check, State, Text string }
	if err := json.Unmarshal([]byte(said), &findings); err != nil || code != 0 || len(findings) < 8 {
		t.Errorf("exit code %d, %v, %s", code, err, said)
	}
}
