package protocol

import (
	"context"
	"log/slog"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/node"
)

const (
	// leavesEvery is how often a node looks for members who have left, whatever it has heard: word of a leave
	// may be lost without anybody noticing.
	leavesEvery = time.Minute
	// leavesPause is how long it waits after it has looked before it does so again.
	leavesPause = 2 * time.Second
)

// Leaves takes sessions off the rooms that their users have left, and of which their node has not heard. What
// it asks of the store is a query for every 256 rooms, and one more for each room whose members have changed.
type Leaves struct {
	node  *node.Node
	watch *biz.Watch
	log   *slog.Logger
	wake  chan struct{} // holds one
}

// NewLeaves returns a Leaves, which works while Run does. It is called before the node runs.
func NewLeaves(n *node.Node, watch *biz.Watch, log *slog.Logger) *Leaves {
	l := &Leaves{node: n, watch: watch, log: log, wake: make(chan struct{}, 1)}
	n.OnMissed(func(channel string) {
		if channel != "" {
			return
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
	})
	return l
}

// Run looks whenever the node may have missed something, and now and then besides, until ctx ends. A node that
// is no part of a cluster has nothing to look for.
func (l *Leaves) Run(ctx context.Context) error {
	if l.node.ID() == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(leavesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-l.wake:
		}
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("whether members have left could not be looked up; trying again", "error", err)
			l.again(ctx)
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(leavesPause):
		}
	}
}

// again has the node look once more, after a pause.
func (l *Leaves) again(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(leavesPause):
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

func (l *Leaves) look(ctx context.Context) error {
	var rooms []biz.RoomID
	for _, channel := range l.node.Channels(roomPrefix) {
		room, _ := RoomOf(channel)
		rooms = append(rooms, room)
	}
	sightings, err := l.watch.Check(ctx, rooms)
	if err != nil {
		return err
	}
	for _, s := range sightings {
		if !s.Changed {
			continue
		}
		if err := l.compare(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// compare takes those who are in a room no more off it.
func (l *Leaves) compare(ctx context.Context, s biz.Sighting) error {
	channel := RoomChannel(s.Room)
	var users []biz.UserID
	for _, user := range l.node.Followers(channel) {
		users = append(users, biz.UserID(user))
	}
	absent, err := l.watch.Absent(ctx, s, users)
	if err != nil {
		return err
	}
	for _, user := range absent {
		followAgain(takeOff(l.node, s.Room, user), s.Room)
	}
	return nil
}
