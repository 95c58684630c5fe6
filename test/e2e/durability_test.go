package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/databases"
)

// persistent is a sender that sends one message after another, each until it is acknowledged.
type persistent struct {
	user  string
	im    imv1.IMServiceClient
	acked *atomic.Int64

	tried int              // messages that were sent at least once, acknowledged or not
	got   map[string]int64 // content → seq of what was acknowledged
	ids   map[string]string
}

// run sends until stop is closed; the last message is acknowledged, too.
func (p *persistent) run(ctx context.Context, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		p.tried++
		content := fmt.Sprintf("%s says %d", p.user, p.tried)
		req := &imv1.SendMessageRequest{
			UserId: p.user, RoomId: "room", Type: text, Content: []byte(content),
			MessageId: fmt.Sprintf("id %d", p.tried),
		}
		resp, err := p.im.SendMessage(ctx, req)
		for err != nil {
			if !isGone(err) || ctx.Err() != nil {
				return fmt.Errorf("%s: %w", content, err)
			}
			resp, err = p.im.SendMessage(ctx, req)
		}
		p.got[content], p.ids[content] = resp.GetSeq(), resp.GetMessageId()
		p.acked.Add(1)
	}
}

// TestA1DurableAckSurvivesKill kills the node again and again while four senders send. Somebody who
// was a member from the start and never connected before then finds every acknowledged message once.
func TestA1DurableAckSurvivesKill(t *testing.T) {
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	durability(t, Start(t, ""), rounds, func() {})
}

// TestA1DurableAckSurvivesKillOnServers does it with a store that is a server, which is killed as well.
func TestA1DurableAckSurvivesKillOnServers(t *testing.T) {
	for driver, start := range databases.Start {
		t.Run(driver, func(t *testing.T) {
			s := start(t)
			n := Start(t, fmt.Sprintf("data: {database: {driver: %s, dsn: %q}}", driver, s.Create()))
			durability(t, n, 3, func() {
				s.Kill()
				n.eventually("the node says that its store is gone", func() bool { return !n.Ready() })
				s.Restart()
				n.eventually("the node is ready again", n.Ready)
			})
		})
	}
}

// durability kills the node in rounds, and has something else happen between them.
func durability(t *testing.T, n *Node, rounds int, between func()) {
	t.Helper()
	im := n.Calls()
	join(t, im, "room", "reader")

	var acked atomic.Int64
	senders := make([]*persistent, 4)
	for i := range senders {
		senders[i] = &persistent{
			user: fmt.Sprintf("sender-%d", i), im: n.Calls(), acked: &acked,
			got: map[string]int64{}, ids: map[string]string{},
		}
		join(t, im, "room", senders[i].user)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, s := range senders {
		wg.Go(func() {
			if err := s.run(ctx, stop); err != nil {
				t.Error(err)
			}
		})
	}
	for range rounds {
		enough := acked.Load() + 100 + rand.Int64N(400)
		n.eventually("messages are acknowledged", func() bool { return acked.Load() >= enough || t.Failed() })
		time.Sleep(time.Duration(rand.Int64N(int64(5 * time.Millisecond)))) // anywhere between two commits
		n.Kill()
		n.Boot()
		between()
	}
	close(stop)
	wg.Wait()
	if t.Failed() {
		return
	}
	checkLog(t, n, senders)
}

func checkLog(t *testing.T, n *Node, senders []*persistent) {
	t.Helper()
	total := 0
	for _, s := range senders {
		total += s.tried
	}
	if head := info(t, n.Calls(), "room", "reader").GetRoomInfo().GetMessageCount(); head != int64(total) {
		t.Errorf("the room has %d messages; %d were sent and acknowledged", head, total)
	}
	reader := n.Connect(Hello{User: "reader", Room: "room"})
	seen := map[string]bool{}
	for i := range total {
		f := reader.Next()
		content := string(f.GetContent())
		if f.GetSeq() != int64(i+1) {
			t.Fatalf("frame %d has seq %d", i+1, f.GetSeq())
		}
		if seen[content] {
			t.Errorf("%q came twice", content)
		}
		seen[content] = true
		var known bool
		for _, s := range senders {
			seq, ok := s.got[content]
			if !ok {
				continue
			}
			known = true
			if seq != f.GetSeq() || s.ids[content] != f.GetMessageId() || s.user != f.GetFromUserId() {
				t.Errorf("%q: acknowledged to %s as %d %s; arrived from %s as %d %s",
					content, s.user, seq, s.ids[content], f.GetFromUserId(), f.GetSeq(), f.GetMessageId())
			}
		}
		if !known {
			t.Errorf("%q was never sent", content)
		}
	}
	if rest := reader.Flush(); len(rest) > 0 {
		t.Errorf("%d frames beyond the head: %v", len(rest), rest[0])
	}
	t.Logf("%d messages acknowledged", total)
}
