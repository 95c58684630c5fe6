package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/webhook"
	"github.com/game-im/hermod/test/process"
)

const webhookSecret = "what node and receiver know alone"

// receiver is a process that takes webhooks, the example of the documents: it says yes to what it has written.
type receiver struct {
	t          *testing.T
	addr, file string
	cmd        *exec.Cmd
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, addr: freeAddr(t), file: filepath.Join(t.TempDir(), "messages.txt")}
	r.boot()
	t.Cleanup(func() { r.kill() })
	return r
}

// boot starts the process, and returns once it listens.
func (r *receiver) boot() {
	r.t.Helper()
	r.cmd = exec.Command(process.Program("webhook"), "-addr", r.addr, "-file", r.file)
	r.cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+webhookSecret)
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, "the receiver listens", func() bool { return r.post(http.Header{}, nil) == http.StatusUnauthorized })
}

// kill ends the process at once, as a crash would.
func (r *receiver) kill() {
	_ = r.cmd.Process.Kill() // a second time it is gone
	_ = r.cmd.Wait()         // it was killed
}

// post sends a request as anybody could; 0: nobody answers.
func (r *receiver) post(header http.Header, body []byte) int {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.addr, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = header
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// attack sends what no node has signed, and what one has signed too long ago.
func (r *receiver) attack() {
	r.t.Helper()
	body := []byte(`{"webhook":"all","messages":[{"room_id":"forged","seq":"1","type":"TEXT"}]}`)
	sign := func(at time.Time, secret string) http.Header {
		h := http.Header{}
		if err := webhook.Sign(h, "msg_forged", at, body, secret); err != nil {
			r.t.Fatal(err)
		}
		return h
	}
	for name, header := range map[string]http.Header{
		"unsigned": {},
		"forged":   sign(time.Now(), "what somebody else makes up"),
		"replayed": sign(time.Now().Add(-webhook.Tolerance-time.Second), webhookSecret),
	} {
		if status := r.post(header, body); status != http.StatusUnauthorized {
			r.t.Errorf("a request that is %s is answered with %d", name, status)
		}
	}
}

// rooms reads what was written down: the seqs of each room, in order.
func (r *receiver) rooms() map[string][]int64 {
	r.t.Helper()
	file, err := os.Open(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	rooms := map[string][]int64{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var room string
		var seq int64
		if _, err := fmt.Sscanf(lines.Text(), "%q %d", &room, &seq); err == nil {
			rooms[room] = append(rooms[room], seq)
		}
	}
	if err := lines.Err(); err != nil {
		r.t.Fatal(err)
	}
	return rooms
}

// has tells whether the messages of a room up to a seq have come, and whether any came before its turn.
func (r *receiver) has(room string, head int64) bool {
	r.t.Helper()
	seqs := r.rooms()[room]
	for i, seq := range seqs {
		if seq != int64(i+1) {
			r.t.Fatalf("%s: message %d came at place %d", room, seq, i+1)
		}
	}
	return int64(len(seqs)) >= head
}

func webhookConfig(r *receiver, more string) string {
	return fmt.Sprintf("webhooks: [{name: all, url: http://%s, secrets: %q, backoff: 50ms, max_backoff: 500ms%s}]", r.addr, webhookSecret, more)
}

// TestWebhooksSurviveKills kills the node and the receiver in turn while people talk in several rooms: every stored
// message reaches the receiver, in the order of its room, and nothing that is forged or old is taken.
func TestWebhooksSurviveKills(t *testing.T) {
	t.Parallel()
	r := startReceiver(t)
	n := Start(t, webhookConfig(r, ""))
	seed := soakSeed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	a := newAssembly(t, n, seed)
	a.begin()
	blows := []func(){
		func() { n.Kill(); n.Boot() },
		func() { r.kill(); r.boot() },
		func() { r.kill(); n.Kill(); n.Boot(); r.boot() },
	}
	for round := range killRounds(t) {
		enough := a.acked.Load() + 100 + rng.Int64N(200)
		n.within(2*patience, "messages are acknowledged", func() bool { return a.acked.Load() >= enough || t.Failed() })
		r.attack()
		time.Sleep(time.Duration(rng.Int64N(int64(5 * time.Millisecond)))) // anywhere within a request
		blows[round%len(blows)]()
	}
	after := a.acked.Load() + 100
	n.within(2*patience, "messages are acknowledged after the last blow", func() bool { return a.acked.Load() >= after || t.Failed() })
	a.end()
	if t.Failed() {
		return
	}
	a.check()
	for _, room := range a.rooms {
		head := info(t, n.Calls(), room, lateUser).GetRoomInfo().GetMessageCount()
		n.within(2*patience, fmt.Sprintf("all %d messages of %s have come", head, room), func() bool { return r.has(room, head) })
	}
	if forged := r.rooms()["forged"]; len(forged) > 0 {
		t.Errorf("%d forged messages were taken", len(forged))
	}
}

// TestWebhooksTellOfEvents: what becomes of messages and rooms comes as it stands in the log.
func TestWebhooksTellOfEvents(t *testing.T) {
	t.Parallel()
	r := startReceiver(t)
	n := Start(t, webhookConfig(r, ", types: [system], rooms: [lob*]"))
	im := n.Calls()
	join(t, im, "lobby", "alice")
	join(t, im, "elsewhere", "alice")
	said := say(t, im, "lobby", "alice", "hello")
	say(t, im, "elsewhere", "alice", "hello")
	if _, err := im.RecallMessage(within(t), &imv1.RecallMessageRequest{UserId: "alice", RoomId: "lobby", Seq: said.GetSeq()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the recall has come", func() bool { return len(r.rooms()["lobby"]) == 1 })
	text, err := os.ReadFile(r.file)
	if err != nil || !strings.Contains(string(text), "SYSTEM") || strings.Contains(string(text), "elsewhere") {
		t.Errorf("%s, %v", text, err)
	}
}
