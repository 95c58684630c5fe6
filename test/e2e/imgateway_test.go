package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// enter has a guest come in, which must succeed.
func enter(t *testing.T, n *Node, quic, user, transport string) *Guest {
	t.Helper()
	g := newGuest(t, n, quic, user)
	if _, err := g.come(within(t), transport); err != nil {
		t.Fatalf("%s over %s: %v", user, transport, err)
	}
	return g
}

// contiguous fails unless the guest has had every place of the room up to total, one after another, and
// notes what was said at each; whoever hears something else than the others did is at fault.
func (g *Guest) contiguous(total int, said map[int64]string) {
	g.t.Helper()
	places, faults := g.had()
	if len(faults) > 0 {
		g.t.Errorf("%s: %q", g.user, faults)
	}
	if len(places) != total {
		g.t.Errorf("%s has had %d places of %d", g.user, len(places), total)
	}
	for i, p := range places {
		if p.seq != int64(i+1) {
			g.t.Fatalf("%s: seq %d at place %d", g.user, p.seq, i+1)
		}
		if p.said == "" {
			continue // his own
		}
		if before, known := said[p.seq]; known && before != p.said {
			g.t.Errorf("%s: %q at seq %d, where somebody else has heard %q", g.user, p.said, p.seq, before)
		}
		said[p.seq] = p.said
	}
}

// sdkGuest is a member by the SDK.
type sdkGuest struct {
	*client.Client
	mu     sync.Mutex
	places []place
	own    map[int64]bool
}

func newSDKGuest(t *testing.T, n *Node, user string) *sdkGuest {
	t.Helper()
	g := &sdkGuest{own: map[int64]bool{}}
	a := &app{t: t, got: map[string][]string{}}
	cfg := a.config(user, n.IM)
	cfg.OnMessage = func(m *imv1.MessageResponse) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if m.GetType() == text {
			g.places = append(g.places, place{m.GetSeq(), string(m.GetContent())})
		}
	}
	var err error
	if g.Client, err = client.NewClient(cfg); err != nil {
		t.Fatal(err)
	}
	if err := g.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Disconnect() }) // the node may be gone
	return g
}

func (g *sdkGuest) say(ctx context.Context, id, content string) error {
	r, err := g.Send(ctx, &imv1.MessageRequest{RoomId: "room", MessageId: id, Type: text, Content: []byte(content)})
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own[r.Seq] = true
	return nil
}

// rising fails unless what was heard is in the order of the room and, with what he said himself,
// complete.
func (g *sdkGuest) rising(t *testing.T, total int, said map[int64]string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	last := int64(0)
	for _, p := range g.places {
		if p.seq <= last {
			t.Errorf("the SDK has heard seq %d after %d", p.seq, last)
		}
		last = p.seq
		if before, known := said[p.seq]; known && before != p.said {
			t.Errorf("the SDK has heard %q at seq %d, where somebody else has heard %q", p.said, p.seq, before)
		}
		said[p.seq] = p.said
	}
	if got := len(g.places) + len(g.own); got != total {
		t.Errorf("the SDK knows of %d messages of %d", got, total)
	}
}

func (g *sdkGuest) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.places) + len(g.own)
}

// TestA4OneOrderOverGatewaySessions: members over every transport of the gateway and members by the SDK
// all speak at once, and all see one order without a hole, where each one's own messages stand in the
// answers.
func TestA4OneOrderOverGatewaySessions(t *testing.T) {
	t.Parallel()
	quic := freeAddr(t)
	n := Start(t, fast, "-quic", quic)
	join(t, n.Calls(), "room", "sdk-0", "sdk-1")
	var guests []*Guest
	var talkers []func(ctx context.Context, id, content string) error
	for i, transport := range transports {
		user := fmt.Sprint("guest-", i)
		join(t, n.Calls(), "room", user)
		g := enter(t, n, quic, user, transport)
		guests, talkers = append(guests, g), append(talkers, g.say)
	}
	var sdks []*sdkGuest
	for i := range 2 {
		g := newSDKGuest(t, n, fmt.Sprint("sdk-", i))
		sdks, talkers = append(sdks, g), append(talkers, g.say)
	}
	n.settled(2 * len(talkers)) // the inbox and the room of each
	const each = 60
	total := each * len(talkers)
	ctx := within(t)
	var wg sync.WaitGroup
	for who, say := range talkers {
		wg.Go(func() {
			for i := range each {
				if err := say(ctx, fmt.Sprintf("%d-%d", who, i), fmt.Sprintf("%d says %d", who, i)); err != nil {
					t.Errorf("%d: %v", who, err)
					return
				}
			}
		})
	}
	wg.Wait()
	n.eventually("everybody has heard everything", func() bool {
		for _, g := range guests {
			if places, faults := g.had(); len(places) < total && len(faults) == 0 {
				return t.Failed()
			}
		}
		return t.Failed() || sdks[0].count() >= total && sdks[1].count() >= total
	})
	said := map[int64]string{}
	for _, g := range guests {
		g.contiguous(total, said)
	}
	for _, g := range sdks {
		g.rising(t, total, said)
	}
	if len(said) != total {
		t.Errorf("%d texts of %d were heard by anybody", len(said), total)
	}
}

// TestTranscriptsOverGatewaySessions: an unknown recording is refused as the call refuses it.
func TestTranscriptsOverGatewaySessions(t *testing.T) {
	t.Parallel()
	quic := freeAddr(t)
	n := Start(t, "", "-quic", quic)
	g := enter(t, n, quic, "alice", "WebSocket JSON")
	_, call := n.Calls().GetAudioTranscript(with(t, "user-id", "alice"), &imv1.TranscriptRequest{AudioId: "nothing"})
	var refused refusal
	err := g.ask(within(t), "im.transcript", &imv1.TranscriptRequest{AudioId: "nothing"})
	if !errors.As(err, &refused) || refused.GetErrorCode() != 404 || refused.GetDetail() != reasonOf(call) {
		t.Errorf("refused with %v; the call with %v", err, call)
	}
}

// TestA5ResumeOverAnyTransport: while a room is talked in, a guest loses one connection after another
// and comes back over another transport and format. Once he has dropped what he had, nothing is missing
// and nothing came twice.
func TestA5ResumeOverAnyTransport(t *testing.T) {
	t.Parallel()
	quic := freeAddr(t)
	n := Start(t, fast, "-quic", quic)
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	g := enter(t, n, quic, "alice", transports[0])
	stop := make(chan struct{})
	var said atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			content := fmt.Sprint(said.Load() + 1)
			if _, err := im.SendMessage(t.Context(), &imv1.SendMessageRequest{UserId: "bob", RoomId: "room", Type: text, Content: []byte(content)}); err != nil {
				t.Errorf("bob: %v", err)
				return
			}
			said.Add(1)
		}
	})
	for i := range 12 {
		heard, _ := g.had()
		n.eventually("some are heard", func() bool {
			now, faults := g.had()
			return len(now) >= len(heard)+20 || len(faults) > 0 || t.Failed()
		})
		g.cut()
		away := said.Load() + rand.Int64N(30)
		n.eventually("some are missed", func() bool { return said.Load() >= away || t.Failed() })
		transport := transports[(i+1)%len(transports)]
		if resumed, err := g.come(within(t), transport); err != nil || !resumed {
			t.Fatalf("back over %s: resumed %v, %v", transport, resumed, err)
		}
	}
	close(stop)
	wg.Wait()
	total := int(said.Load())
	n.eventually("all are heard", func() bool {
		places, faults := g.had()
		return len(places) >= total || len(faults) > 0
	})
	heard := map[int64]string{}
	g.contiguous(total, heard)
	for seq, content := range heard {
		if content != fmt.Sprint(seq) {
			t.Errorf("%q at seq %d", content, seq)
		}
	}
}

// TestA6OfflineOverGatewaySessions: who was away gets everything in order and before what is live, also
// from a node that was killed meanwhile.
func TestA6OfflineOverGatewaySessions(t *testing.T) {
	t.Parallel()
	quic := freeAddr(t)
	n := Start(t, "", "-quic", quic)
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	say(t, im, "room", "bob", numbers(1, 300)...)
	n.Kill()
	n.Boot()
	im = n.Calls()
	for i, transport := range transports {
		user := fmt.Sprint("guest-", i)
		join(t, im, "room", user) // from here on: not what was said before he was a member
		g := enter(t, n, quic, user, transport)
		if places, _ := g.had(); len(places) != 0 {
			t.Errorf("%s has heard what was said before: %v", user, places)
		}
	}
	g := enter(t, n, quic, "alice", transports[1])
	say(t, im, "room", "bob", numbers(301, 310)...)
	n.eventually("all are heard", func() bool {
		places, _ := g.had()
		return len(places) >= 310
	})
	heard := map[int64]string{}
	g.contiguous(310, heard)
	if heard[1] != "1" || heard[310] != "310" {
		t.Errorf("heard %q first and %q last", heard[1], heard[310])
	}
}
