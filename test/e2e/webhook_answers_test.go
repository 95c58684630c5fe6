package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/game-im/hermod/sdk/webhook"
	"github.com/game-im/hermod/test/process"
)

// endpoint takes webhooks within the test, and answers as it is told.
type endpoint struct {
	t      *testing.T
	url    string
	answer func(content string) int // to a request with such a message; 0: it is fine

	mu    sync.Mutex
	taken map[string][]string // contents by room, each delivery
	ids   map[string]bool
}

func newEndpoint(t *testing.T, answer func(content string) int) *endpoint {
	t.Helper()
	e := &endpoint{t: t, answer: answer, taken: map[string][]string{}, ids: map[string]bool{}}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := webhook.Verify(r, []string{webhookSecret}, 0)
	if err != nil {
		e.t.Error(err)
	}
	d, err := webhook.Parse(body)
	if err != nil {
		e.t.Error(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range d.Messages {
		if status := e.answer(string(m.GetContent())); status != 0 {
			http.Error(w, "not <this>", status)
			return
		}
	}
	e.ids[r.Header.Get(webhook.HeaderID)] = true
	for _, m := range d.Messages {
		e.taken[m.GetRoomId()] = append(e.taken[m.GetRoomId()], string(m.GetContent()))
	}
}

// change has it answer otherwise.
func (e *endpoint) change(answer func(string) int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

func (e *endpoint) has(room string, contents ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Equal(e.taken[room], contents)
}

func fine(string) int { return 0 }

func (e *endpoint) config(more string) string {
	return fmt.Sprintf("webhooks: [{name: all, url: %s, secrets: %q, backoff: 10ms, max_backoff: 20ms%s}]", e.url, webhookSecret, more)
}

// webhooks runs a command of hermodctl.
func (n *Node) webhooks(args ...string) string {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), process.Program("hermodctl"), slices.Concat([]string{"webhooks"}, args, []string{"--addr", n.Gateway})...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestWebhookGivesUpOneMessage that is refused, or fails too often, and neither its neighbours nor other rooms. What
// was given up is known, and comes when an operator wants it.
func TestWebhookGivesUpOneMessage(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnprocessableEntity, http.StatusInternalServerError} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			poisoned := func(content string) int {
				if strings.Contains(content, "poison") {
					return status
				}
				return 0
			}
			e := newEndpoint(t, poisoned)
			n := Start(t, e.config(", attempts: 3"))
			im := n.Calls()
			join(t, im, "bad", "alice")
			join(t, im, "good", "alice")
			say(t, im, "bad", "alice", "one", "two", "poison", "four")
			say(t, im, "good", "alice", "hello")
			eventually(t, "the other room has come", func() bool { return e.has("good", "hello") })
			eventually(t, "its neighbours have come", func() bool { return e.has("bad", "one", "two", "four") })
			eventually(t, "it is known to be given up", func() bool {
				out := n.webhooks("dead", "all", "--json")
				return strings.Contains(out, `"room_id":"bad","from_seq":3,"to_seq":3`) && strings.Contains(out, fmt.Sprintf("answered %d", status))
			})
			if out := n.webhooks("list", "--json"); !strings.Contains(out, `"name":"all"`) || !strings.Contains(out, `"dead_letters":1`) {
				t.Error(out)
			}
			e.change(fine)
			if out := n.webhooks("replay", "all", "--from", "dead"); !strings.HasPrefix(out, "1 message") {
				t.Error(out)
			}
			eventually(t, "it has come", func() bool { return e.has("bad", "one", "two", "four", "poison") })
			eventually(t, "nothing is dead", func() bool { return n.webhooks("dead", "all", "--json") == "" })
		})
	}
}

// TestWebhookReplays a room from a message on, and all rooms from a time on, under ids that are new.
func TestWebhookReplays(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, fine)
	n := Start(t, e.config(", batch: 1"))
	im := n.Calls()
	join(t, im, "r", "alice")
	say(t, im, "r", "alice", "one", "two", "three")
	eventually(t, "all have come", func() bool { return e.has("r", "one", "two", "three") })
	n.Restart() // what was delivered is noted
	n.webhooks("replay", "all", "--from", "r:2")
	eventually(t, "two have come again", func() bool { return e.has("r", "one", "two", "three", "two", "three") })
	e.mu.Lock()
	if len(e.ids) != 5 {
		t.Errorf("five deliveries have %d ids", len(e.ids))
	}
	e.mu.Unlock()
	n.Restart()
	n.webhooks("replay", "all", "--from", "1h")
	eventually(t, "all have come again", func() bool { return e.has("r", "one", "two", "three", "two", "three", "one", "two", "three") })
	code, out := 0, ""
	cmd := exec.CommandContext(t.Context(), process.Program("hermodctl"), "webhooks", "replay", "none", "--from", "r:1", "--addr", n.Gateway)
	if text, err := cmd.CombinedOutput(); err != nil {
		code, out = cmd.ProcessState.ExitCode(), string(text)
	}
	if code != 1 || !strings.Contains(out, "there is no webhook") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestWebhookThatIsAway costs nobody anything: senders go on, no message is given up, and all come once it is back.
func TestWebhookThatIsAway(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, func(string) int { return http.StatusServiceUnavailable })
	n := Start(t, e.config(", attempts: 1"))
	im := n.Calls()
	const unreached = `hermod_webhook_requests_total{outcome="unreachable",webhook="all"} `
	var all []string
	join(t, im, "r", "alice")
	for i := range 50 {
		all = append(all, fmt.Sprint("message ", i))
		say(t, im, "r", "alice", all[i])
	}
	eventually(t, "it was tried", func() bool {
		_, page := n.Page("/metrics")
		return strings.Contains(page, unreached) && !strings.Contains(page, unreached+"0\n")
	})
	e.change(fine)
	eventually(t, "all have come", func() bool { return e.has("r", all...) })
	if out := n.webhooks("dead", "all", "--json"); out != "" {
		t.Errorf("given up: %s", out)
	}
}
