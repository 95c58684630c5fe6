package e2e

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// soakTime is how long a soak lasts: HERMOD_TEST_SOAK says so, and otherwise it is a short one.
func soakTime(t *testing.T) (d time.Duration, long bool) {
	t.Helper()
	return timeOf(t, "HERMOD_TEST_SOAK", 5*time.Second)
}

// timeOf reads how long a test lasts from an environment variable; without it the test is a short one.
func timeOf(t *testing.T, variable string, short time.Duration) (d time.Duration, long bool) {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return short, false
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%q is no duration, such as 1m", variable, text)
	}
	return d, true
}

// soakSeed is what chance begins with: HERMOD_TEST_SEED, to have a soak again, or anything.
func soakSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("HERMOD_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("HERMOD_TEST_SEED=%q is no number", text)
		}
	}
	t.Logf("HERMOD_TEST_SEED=%d", seed)
	return seed
}

// soakConfig lets no session end while its client is away, and has the node find dead connections and
// repeat what is not acknowledged as soon as it can be told to.
const soakConfig = `
session: {resume_window: 1h, heartbeat: 5s}
server: {keepalive: {time: 5s, timeout: 2s}}
gateway: {ack_timeout: 2s}
`

// TestSoak has 200 clients, over three transports, behind networks that cut, delay and half-close
// connections at random. Services push to all of them, by session, openid and gid, and those that are
// in rooms talk. Nothing that was accepted is lost, nothing comes twice to a client that drops the
// numbers it has seen, and nothing comes out of order.
func TestSoak(t *testing.T) {
	lasts, _ := soakTime(t)
	seed := soakSeed(t)
	quic := freeAddr(t)
	n := Start(t, soakConfig, "-quic", quic)
	through, proxies := stormAround(t, n, quic)
	c := newCrowd(t, n, seed, through)
	defer c.abandon()
	rovers, members := 120, 80
	if testing.Short() {
		rovers, members = 30, 20
	}
	c.enter(rovers, members)
	c.begin(8, 30*time.Millisecond)
	every := 150 * time.Millisecond
	if testing.Short() {
		every *= 4
	}
	s := breakOut(seed, every, proxies)
	time.Sleep(lasts)
	s.over()
	c.settle()
	c.report(s)
	if faults := c.ledger.Faults(); len(faults) > 0 {
		for _, fault := range faults[:min(len(faults), 30)] {
			t.Error(fault)
		}
		t.Fatalf("%d faults", len(faults))
	}
	c.leave()
	// The ledger of this very soak would have told of faults.
	for _, lane := range []string{c.rovers[0].echoes(), c.targets[0].lane()} {
		if h := (ear{lane, c.rovers[0].openid}); len(c.ledger.heard[h]) > 1 {
			findsPlanted(t, c.ledger, h)
		}
	}
}

// report tells what has happened, and fails when it was not enough to prove anything.
func (c *crowd) report(s *storm) {
	c.t.Helper()
	var connects, resumes, repeats int64
	var moves [3]int64
	for _, r := range c.rovers {
		connects, resumes, repeats = connects+r.connects.Load(), resumes+r.resumes.Load(), repeats+r.repeats.Load()
		for i := range moves {
			moves[i] += r.moves[i].Load()
		}
	}
	c.t.Logf("gateway: %d connections (%v over %v), %d resumes, %d frames came again", connects, moves, carriers, resumes, repeats)
	connects, resumes, repeats = 0, 0, 0
	for _, s := range c.seats {
		connects, resumes, repeats = connects+s.connects.Load(), resumes+s.resumes.Load(), repeats+s.repeats.Load()
	}
	c.t.Logf("im.v1: %d connections, %d resumes, %d frames came again", connects, resumes, repeats)
	var reconnects, resumed, duplicates uint64
	for _, u := range c.users {
		st := u.Stats()
		reconnects, resumed, duplicates = reconnects+st.Reconnects, resumed+st.Resumed, duplicates+st.Duplicates
	}
	c.t.Logf("sdk: %d reconnects, %d resumed, %d frames came again", reconnects, resumed, duplicates)
	renewals := c.renewals()
	c.t.Logf("im.v1 and sdk: %d began anew, since an answer with a ticket was lost", renewals)
	taken, refused, unsure, arrived := c.ledger.Totals()
	c.t.Logf("%d messages accepted, %d refused, %d unsure, %d received; %s", taken, refused, unsure, arrived, s)
	if taken == 0 || arrived < taken || min(moves[0], moves[1], moves[2]) == 0 || reconnects == 0 || len(s.blows) < 4 {
		c.t.Error("that was not enough to prove anything")
	}
}
