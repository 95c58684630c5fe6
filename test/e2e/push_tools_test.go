package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/upstream"

	"github.com/game-im/hermod/test/process"
)

// batchSummary is what hermodctl batch --json prints.
type batchSummary struct {
	Targets  int
	Outcomes map[string]int
	Key      string `json:"idempotency_key"`
}

func summary(t *testing.T, output []byte) batchSummary {
	t.Helper()
	var s batchSummary
	if err := json.Unmarshal(output, &s); err != nil {
		t.Fatalf("%v in %s", err, output)
	}
	return s
}

// TestHermodctlBatch pushes to the targets of a file, those that were not reached once more, and goes on
// where it was interrupted.
func TestHermodctlBatch(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	alice := n.Connect(Hello{User: "alice", GID: "7"})
	dir := t.TempDir()
	file, failed := filepath.Join(dir, "users.csv"), filepath.Join(dir, "failed.jsonl")
	text := "openid,gid,title\nalice,,to alice\n,7,\nbob,,\n,,\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), process.Program("hermodctl"), "batch", file, "--addr", n.Gateway, "--content", "c", "--failed", failed, "--json", "--parallel", "1")
	out, err := cmd.Output()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("two targets were not reached, and it says %v", err)
	}
	got := summary(t, out)
	if want := map[string]int{"delivered": 2, "offline": 1, "rejected": 1}; got.Targets != 4 || !maps.Equal(got.Outcomes, want) || !strings.HasPrefix(got.Key, "batch-") {
		t.Errorf("%+v", got)
	}
	frames := alice.Take(2)
	if frames[0].GetMetadata()["title"] != "to alice" || frames[1].GetMetadata()["content"] != "c" {
		t.Errorf("alice got %v", frames)
	}
	bob := n.Connect(Hello{User: "bob"})
	again, err := hermodctl(t, "batch", failed, "--addr", n.Gateway, "--content", "c", "--store")
	if err == nil || !strings.Contains(again, "2 targets") || !strings.Contains(again, "delivered  1\n  rejected   1\n") {
		t.Errorf("%v\n%s", err, again)
	}
	if f := bob.Next(); f.GetMetadata()["content"] != "c" {
		t.Errorf("bob got %v", f)
	}
}

// TestHermodctlBatchInterrupted: Ctrl-C ends it with a true summary, and the same command goes on.
func TestHermodctlBatchInterrupted(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	const targets = 200
	run := func(interrupt bool) (batchSummary, string) {
		cmd := exec.CommandContext(t.Context(), process.Program("hermodctl"), "batch", "--addr", n.Gateway,
			"--idempotency-key", "once", "--size", "10", "--parallel", "2", "--store", "--json")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out, said strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for i := range targets {
			if _, err := fmt.Fprintf(in, "{\"openid\":\"user %d\"}\n", i); err != nil {
				t.Fatal(err)
			}
			if interrupt && i == targets/2 {
				n.AwaitMetric(20, "hermod_push_targets_total", `outcome="queued"`)
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		if !interrupt {
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Wait(); (err != nil) != interrupt {
			t.Errorf("interrupted %v: %v, %s", interrupt, err, &said)
		}
		return summary(t, []byte(out.String())), said.String()
	}
	first, said := run(true)
	counted := int(n.Metric("hermod_push_targets_total", `outcome="queued"`))
	if first.Targets < 20 || first.Targets > targets/2+1 || first.Outcomes["queued"] != first.Targets || counted != first.Targets {
		t.Errorf("%+v, and the node counts %d", first, counted)
	}
	if !strings.Contains(said, "interrupted behind") || !strings.Contains(said, "--idempotency-key once") {
		t.Errorf("it says %s", said)
	}
	second, _ := run(false)
	counted = int(n.Metric("hermod_push_targets_total", `outcome="queued"`))
	if second.Targets != targets || second.Outcomes["queued"] != targets || counted != targets {
		t.Errorf("%+v, and the node counts %d", second, counted)
	}
}

// TestHermodctlSessions lists sessions and closes some, whose clients are told.
func TestHermodctlSessions(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	alice := n.Connect(Hello{User: "alice", GID: "7"})
	player := Dialed(t, n.IM, "10001", nil)
	player.Begin(&gatewayv1.StartRequest{})
	out, err := hermodctl(t, "sessions", "list", "--addr", n.Gateway)
	if err != nil || !strings.HasPrefix(out, "SESSION") || !strings.Contains(out, "alice") || !strings.Contains(out, "inited") || strings.Count(out, "\n") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = hermodctl(t, "sessions", "list", "--json", "--state", "inited", "--addr", n.Gateway)
	var info upstream.SessionInfo
	if err != nil || json.Unmarshal([]byte(out), &info) != nil || info.ID != player.Session || info.Protocol != "gateway.v1" || info.Transport != "grpc" || info.RemoteAddr == "" {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = hermodctl(t, "push", "--all", "--rate", "100", "--ttl", "1m", "--content", "c", "--addr", n.Gateway)
	if err != nil || !strings.Contains(out, "sent 1, queued 0, slow 0, skipped 1, expired 0, remaining 0 of 2\n") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = hermodctl(t, "sessions", "close", "--gid", "7", "--addr", n.Gateway)
	if err != nil || strings.TrimSpace(out) != alice.Header("session-id") {
		t.Errorf("%v\n%s", err, out)
	}
	alice.Disconnected("4001")
	out, err = hermodctl(t, "sessions", "close", player.Session, "--code", "4600", "--reason", "banned", "--addr", n.Gateway)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if code := player.Ended(); code != "4600" {
		t.Errorf("the player was told %s", code)
	}
	out, err = hermodctl(t, "sessions", "close", player.Session, "--addr", n.Gateway)
	if err == nil || !strings.Contains(out, "TARGET_NOT_FOUND") || !strings.Contains(out, "1 of 1 sessions were not closed") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestSessionIsInvitedBack: a code below 4000 leaves the session to its client, who comes back to it.
func TestSessionIsInvitedBack(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	p := Dialed(t, n.IM, "10001", nil)
	p.Begin(&gatewayv1.StartRequest{})
	p.Ask("hello", "")
	if closed, err := c.CloseSession(t.Context(), p.Session, 3500, "move"); err != nil || closed != p.Session {
		t.Fatalf("%q, %v", closed, err)
	}
	if code := p.Ended(); code != "3500" {
		t.Errorf("told %s", code)
	}
	back := Dialed(t, n.IM, "10001", p)
	back.Begin(&gatewayv1.StartRequest{LastAckedSeqId: p.Last})
	if back.Headers["resumed"] != "true" || back.Session != p.Session {
		t.Errorf("came back to %s with %v", back.Session, back.Headers)
	}
}

// TestPacedBroadcastEndsWithTheNode: a node that stops does not wait for a broadcast that has long to go,
// and says how far it got.
func TestPacedBroadcastEndsWithTheNode(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	for i := range 50 {
		n.Connect(Hello{User: fmt.Sprint("user ", i)})
	}
	c := n.Upstream()
	stopping := false
	got, err := c.PaceBroadcast(t.Context(), mail, 1, func(upstream.Progress) {
		if !stopping {
			n.Terminate()
		}
		stopping = true
	})
	if err == nil || got.Total != 50 || got.Remaining == 0 || got.Sent+got.Remaining != 50 {
		t.Errorf("%+v, %v", got, err)
	}
	n.Stopped()
}

// curls are the examples of a document.
var curls = regexp.MustCompile(`(?m)^curl (?:.*\\\n)*.*$`)

// TestCurlExamples runs every curl of docs/operations.md against a node, as its reader would.
func TestCurlExamples(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs curl (Debian: curl)")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	n := Start(t, "")
	n.Connect(Hello{User: "alice"})
	player := Dialed(t, n.IM, "10001", nil)
	player.Begin(&gatewayv1.StartRequest{})
	player.Ask("hello", "")
	examples := curls.FindAllString(string(page), -1)
	if len(examples) < 8 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, example := range examples {
		script := strings.NewReplacer("127.0.0.1:8081", n.Ops, "$SESSION", player.Session).Replace(example)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(script, "curl ", "curl --fail-with-body -sS --max-time 30 ", 1)).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "{") {
			t.Errorf("%v\n%s\n%s", err, script, out)
		}
	}
}

// TestSessionsTellTheirTransport: whatever a client comes by, services see what it is and where from.
func TestSessionsTellTheirTransport(t *testing.T) {
	t.Parallel()
	quicAddr := freeAddr(t)
	n := Start(t, "", "-quic", quicAddr)
	r := newRoads(t, n, quicAddr)
	for want, open := range map[string]func() (road, error){
		"grpc":      func() (road, error) { return openStream(r.conns[0]) },
		"websocket": func() (road, error) { return openWeb(within(t), r.http) },
		"quic":      func() (road, error) { return openQUIC(within(t), r.quic) },
	} {
		way, err := open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(way.close)
		d := &drifter{t: t, openid: want, road: way, seen: map[string]int{}}
		start := &gatewayv1.StartRequest{Openid: want, AuthToken: "default-token"}
		if _, err := d.until(within(t), d.say(gatewayv1.RequestType_REQUEST_START, 0, start)); err != nil {
			t.Fatal(err)
		}
		for info, err := range n.Upstream().Sessions(t.Context(), upstream.SessionFilter{OpenID: want}) {
			if err != nil || info.Transport != want || !strings.HasPrefix(info.RemoteAddr, "127.0.0.1:") {
				t.Errorf("%s: %+v, %v", want, info, err)
			}
		}
	}
}
