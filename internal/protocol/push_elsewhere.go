package protocol

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	// maxTargets and maxTargetBytes bound the targets of one message between nodes: NATS takes a MiB, of
	// which the push needs its share.
	maxTargets     = 1000
	maxTargetBytes = 256 << 10
	// maxInquiries is how many messages of one batch wait for answers at a time.
	maxInquiries = 4
)

// pushElsewhere pushes to a target's sessions on other nodes.
func (p *Pusher) pushElsewhere(ctx context.Context, to biz.Recipient, push *biz.Push, s *standing) {
	one, all := []biz.Recipient{to}, []standing{*s}
	ask := func(channel string) *inquiry { return p.inquire(channel, one, []int{0}, all) }
	channel := broker.EveryNode
	switch to.Kind {
	case biz.TargetSession:
		if s.best != session.Gone {
			return // a session is in one place
		}
		if home := node.HomeOf(to.ID); home != "" && home != p.node.ID() {
			ask(broker.NodeChannel(home)).ask(ctx, push)
		}
	case biz.TargetGID:
		channel = node.GIDChannel(to.GID)
	default:
		channel = node.UserChannel(to.ID)
	}
	switch {
	case all[0].best >= session.Queued && to.Kind != biz.TargetSession:
		ask(channel).tell(push)
	case all[0].best == session.Gone || to.Kind != biz.TargetSession:
		ask(channel).ask(ctx, push)
	}
	*s = all[0]
}

// batchElsewhere does the same for many targets, in as few messages as they fit in.
func (p *Pusher) batchElsewhere(ctx context.Context, to []biz.Recipient, push *biz.Push, all []standing) {
	var asked, told []int
	for i := range all {
		switch {
		case to[i].Kind != biz.TargetSession && all[i].best >= session.Queued:
			told = append(told, i)
		case to[i].Kind != biz.TargetSession || all[i].best == session.Gone:
			asked = append(asked, i)
		}
	}
	for _, at := range chunks(to, told) {
		p.inquire(broker.EveryNode, to, at, all).tell(push)
	}
	var g errgroup.Group
	g.SetLimit(maxInquiries)
	for _, at := range chunks(to, asked) {
		g.Go(func() error {
			p.inquire(broker.EveryNode, to, at, all).ask(ctx, push)
			return nil
		})
	}
	_ = g.Wait() // none fails
}

// chunks cuts a list of targets so that each part fits in a message.
func chunks(to []biz.Recipient, at []int) (parts [][]int) {
	bytes, from := 0, 0
	for k, i := range at {
		if bytes += len(to[i].ID) + 16; bytes > maxTargetBytes || k-from == maxTargets {
			parts = append(parts, at[from:k])
			bytes, from = len(to[i].ID)+16, k
		}
	}
	if from < len(at) {
		parts = append(parts, at[from:])
	}
	return parts
}

// settle has the end of what waits counted, once for each target: on the node whose outcome it was answered.
func (p *Pusher) settle(all []standing) {
	type origin struct {
		from *inquiry
		node string
	}
	var waiting map[origin][]int32
	for _, s := range all {
		switch {
		case s.best != session.Kept:
		case s.from == nil:
			p.node.Settle(s.fate)
		default:
			if waiting == nil {
				waiting = make(map[origin][]int32)
			}
			o := origin{s.from, s.node}
			waiting[o] = append(waiting[o], int32(s.at))
		}
	}
	for o, at := range waiting {
		o.from.count(broker.NodeChannel(o.node), at...)
	}
}

// cutNode tells whether a channel is that of nodes, and of which: empty is all of them.
func cutNode(channel string) (id string, ok bool) {
	return strings.CutPrefix(channel, broker.EveryNode)
}
