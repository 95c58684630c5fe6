package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/sdk/webhook"
)

func TestBackoffGrowsWithinBounds(t *testing.T) {
	t.Parallel()
	for failures, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 100: time.Minute} {
		for range 100 {
			if d := backoff(time.Second, time.Minute, failures); d > most || d < most/2-1 {
				t.Fatalf("%s after %d failures", d, failures)
			}
		}
	}
}

// TestGateLetsOneThrough while the endpoint is away, after a while each time, and all when it is back.
func TestGateLetsOneThrough(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := gate{first: time.Second, most: time.Minute}
	for range patience {
		if !g.open(now, 5) {
			t.Fatal("shut too soon")
		}
		g.unreached(now, 0)
	}
	if g.open(now, 0) {
		t.Error("open at once")
	}
	if later := now.Add(time.Second); !g.open(later, 0) || g.open(later, 1) {
		t.Error("not one is let through")
	}
	g.reached()
	if !g.open(now.Add(time.Second), 5) {
		t.Error("still shut")
	}
	g.unreached(now, time.Hour)
	if g.open(now.Add(59*time.Minute), 0) || !g.open(now.Add(time.Hour), 0) {
		t.Error("advice is not heeded")
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]verdict{
		200: delivered, 204: delivered, 302: failed, 400: refused, 401: failed, 404: failed, 410: gone, 413: refused, 422: refused,
		429: unreachable, 500: failed, 502: unreachable, 503: unreachable, 504: unreachable,
	} {
		if got := judge(&http.Response{StatusCode: status, Header: http.Header{}}, nil, time.Now()); got.verdict != want {
			t.Errorf("%d is %s", status, verdicts[got.verdict])
		}
	}
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "7": 7 * time.Second, "999999999999": mostAdvice,
		"Thu, 29 Feb 2024 12:01:00 GMT": time.Minute, "Thu, 29 Feb 2024 11:00:00 GMT": 0,
	} {
		if got := advice(text, now); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// TestAnswersAreBounded: what an endpoint says is not shown whole, nor as it is.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	said := "a\n\xff\x00b" + strings.Repeat("ä", 300)
	got := printable(said)
	if len(got) > reasonBytes || !strings.HasPrefix(got, "a � b") {
		t.Errorf("%q", got)
	}
	if got := printable("a\x1b[2J\u009bb"); got != "a [2J b" {
		t.Errorf("a terminal would do what %q says", got)
	}
}

// TestAnswersThatAreNone come from endpoints that write bytes of their own. What is told of them can be stored in any database, is sent to
// operators and has one short line: otherwise the webhook would stand still, or nobody could list it.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	junk := strings.Repeat("\xff\x1b", 4<<10)
	for answer, want := range map[string]verdict{
		"HTTP/1.1 400 " + junk + "\r\nContent-Length: 0\r\n\r\n":                              refused,
		"HTTP/1.1 500 \xff\r\nContent-Length: 20000000\r\n\r\n" + strings.Repeat("ä", 64<<10): failed,
		junk + "\r\n\r\n": unreachable,
		"":                unreachable,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte(answer)) // whoever has read enough hangs up
			_ = conn.Close()
		}))
		s := newSender(Options{URL: server.URL, Secrets: []string{"what both sides know alone"}, Deadline: time.Minute, Concurrency: 1})
		r := s.send(t.Context(), "msg_1", []byte("{}"))
		if r.verdict != want || r.reason == "" || len(r.reason) > 2*reasonBytes+2 || strings.ToValidUTF8(r.reason, "") != r.reason ||
			strings.ContainsAny(r.reason, "\x00\n\x1b") {
			t.Errorf("%.40q is %s: %q", answer, verdicts[r.verdict], r.reason)
		}
		s.close()
		server.Close()
	}
}

// TestSend makes a signed request, follows no redirection, and does not tell the address when nobody answers.
func TestSend(t *testing.T) {
	t.Parallel()
	const secret = "what both sides know alone"
	var elsewhere bool
	mux := http.NewServeMux()
	mux.HandleFunc("/fine", func(_ http.ResponseWriter, r *http.Request) {
		if body, err := webhook.Verify(r, []string{secret}, 0); err != nil || string(body) != "{}" || r.Header.Get(webhook.HeaderID) != "msg_1" {
			t.Errorf("%s, %v", body, err)
		}
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere = true })
	server := httptest.NewServer(mux)
	send := func(url string) response {
		s := newSender(Options{URL: url, Secrets: []string{secret}, Deadline: time.Minute, Concurrency: 1})
		defer s.close()
		return s.send(t.Context(), "msg_1", []byte("{}"))
	}
	if r := send(server.URL + "/fine"); r.verdict != delivered {
		t.Errorf("%+v", r)
	}
	if r := send(server.URL + "/moved"); r.verdict != failed || elsewhere {
		t.Errorf("%+v", r)
	}
	server.Close()
	if r := send(server.URL + "/?key=hidden"); r.verdict != unreachable || strings.Contains(r.reason, "hidden") {
		t.Errorf("%+v", r)
	}
}

func TestDeliveryIDs(t *testing.T) {
	t.Parallel()
	id := func(webhook string, replays int64, seqs ...int64) string {
		d := newDeliveryID(webhook)
		for _, seq := range seqs {
			d.add(replays, []*biz.Message{{Room: "r", Seq: seq}})
		}
		return d.String()
	}
	if first := id("w", 0, 1, 2); first != id("w", 0, 1, 2) {
		t.Error("the same messages have another id")
	}
	seen := map[string]bool{}
	for _, other := range []string{id("w", 0, 1, 2), id("w", 0, 1), id("w", 1, 1), id("v", 0, 1), id("w", 0, 12)} {
		if seen[other] || strings.Contains(other, ".") {
			t.Error(other)
		}
		seen[other] = true
	}
}

// TestRoomsTakeTurns: each waits once, an alone one shares with nobody, and who waits for a time is woken then.
func TestRoomsTakeTurns(t *testing.T) {
	t.Parallel()
	rs, now := newRooms(), time.Now()
	for _, id := range []biz.RoomID{"a", "b", "a", "c"} {
		rs.hear(id)
	}
	rs.all["b"].alone = true
	ids := func(batch []*room) (text string) {
		for _, r := range batch {
			text += string(r.id)
		}
		return text
	}
	first := rs.next()
	if got := ids(first); got != "a" {
		t.Errorf("first %s", got)
	}
	if got := ids(rs.next()); got != "b" {
		t.Errorf("then %s", got)
	}
	if got := ids(rs.next()); got != "c" {
		t.Errorf("then %s", got)
	}
	if rs.hear("a"); !rs.all["a"].again || len(rs.next()) > 0 {
		t.Error("a room flies twice")
	}
	first[0].flying = false
	rs.postpone(first[0], now.Add(time.Minute))
	if due := rs.wake(now); !due.Equal(now.Add(time.Minute)) || len(rs.next()) > 0 {
		t.Error("it does not wait")
	}
	first[0].away = true
	rs.back(now)
	rs.wake(now)
	if got := ids(rs.next()); got != "a" {
		t.Errorf("back is %q", got)
	}
	for i := range mostRooms + 10 {
		rs.hear(biz.RoomID(fmt.Sprint("room ", i)))
	}
	if len(rs.all) != mostRooms {
		t.Errorf("%d rooms are known", len(rs.all))
	}
}
