package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestA1GatewaySendsSurviveKill kills the node again and again while guests speak, each repeating what
// has no answer under the same id. Every answered message is there once, in one order, and nobody
// misses one.
func TestA1GatewaySendsSurviveKill(t *testing.T) {
	quic := freeAddr(t)
	n := Start(t, fast, "-quic", quic)
	join(t, n.Calls(), "room", "reader")
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	stop := make(chan struct{})
	var answered atomic.Int64
	var wg sync.WaitGroup
	guests := make([]*Guest, len(transports))
	sent := make([]int, len(transports))
	for i, transport := range transports {
		user := fmt.Sprint("guest-", i)
		join(t, n.Calls(), "room", user)
		guests[i] = enter(t, n, quic, user, transport)
	}
	for i, g := range guests {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent[i]++
				if err := g.insist(ctx, transports[i], fmt.Sprint(i, "-", sent[i])); err != nil {
					t.Errorf("%s: %v", g.user, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		enough := answered.Load() + 50 + rand.Int64N(200)
		n.eventually("messages are answered", func() bool { return answered.Load() >= enough || t.Failed() })
		time.Sleep(time.Duration(rand.Int64N(int64(5 * time.Millisecond)))) // anywhere between two commits
		n.Kill()
		n.Boot()
	}
	close(stop)
	wg.Wait()
	if t.Failed() {
		return
	}
	total := 0
	for _, s := range sent {
		total += s
	}
	if head := info(t, n.Calls(), "room", "reader").GetRoomInfo().GetMessageCount(); head != int64(total) {
		t.Errorf("the room has %d messages; %d were sent and answered", head, total)
	}
	said := map[int64]string{}
	for _, g := range guests {
		g.complete(total, said)
	}
	if len(said) != total {
		t.Errorf("%d texts of %d were heard by anybody", len(said), total)
	}
}

// insist sends a text until it is answered, over as many connections as it takes.
func (g *Guest) insist(ctx context.Context, transport, content string) error {
	for {
		err := g.say(ctx, content, content)
		if err == nil {
			return nil
		}
		var refused refusal
		if errors.As(err, &refused) && refused.GetErrorCode() != 503 {
			return err
		}
		for errors.Is(err, errCut) {
			g.cut()
			if _, err = g.come(ctx, transport); err == nil {
				break
			}
			err = errCut // the node is down
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pollEvery):
			}
		}
	}
}

// complete fails unless what came, repetitions aside, came in the order of the room, and makes up the
// whole of it together with what was answered.
func (g *Guest) complete(total int, said map[int64]string) {
	g.t.Helper()
	g.n.eventually(g.user+" has heard everything", func() bool {
		places, _ := g.had()
		known := map[int64]bool{}
		for _, p := range places {
			known[p.seq] = true
		}
		return len(known) >= total
	})
	places, faults := g.had()
	if len(faults) > 0 {
		g.t.Errorf("%s: %q", g.user, faults)
	}
	mine, known := map[int64]string{}, map[int64]bool{}
	last := int64(0)
	for _, p := range places {
		switch {
		case p.said == "": // an answer; that to a repetition names the first place
		case !known[p.seq] && p.seq <= last:
			g.t.Errorf("%s: %q at seq %d, first after %d", g.user, p.said, p.seq, last)
		case mine[p.seq] != "" && mine[p.seq] != p.said:
			g.t.Errorf("%s: %q at seq %d, where he has heard %q", g.user, p.said, p.seq, mine[p.seq])
		default:
			mine[p.seq], last = p.said, max(last, p.seq)
		}
		known[p.seq] = true
	}
	for seq, content := range mine {
		if before, known := said[seq]; known && before != content {
			g.t.Errorf("%s: %q at seq %d, where somebody else has heard %q", g.user, content, seq, before)
		}
	}
	maps.Copy(said, mine)
}
