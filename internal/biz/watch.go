package biz

import (
	"context"
	"slices"
	"sync"
)

// WatchRepo reads how rooms stand, as they are stored now.
type WatchRepo interface {
	// Heads returns where rooms stand, by one query for MaxWatched of them. A room that does not exist is absent.
	Heads(ctx context.Context, rooms []RoomID) (map[RoomID]RoomHead, error)
	// Absent returns those of the users who are not members of the room, by one query for MaxWatched of them.
	Absent(ctx context.Context, room RoomID, users []UserID) ([]UserID, error)
}

// MaxWatched is how many rooms or users one query of a WatchRepo is about.
const MaxWatched = 256

// RoomHead is where a room stands.
type RoomHead struct {
	Seq     int64 // of the last message
	Version int64 // of who may say what
}

// Watch finds out what a node has missed that has not heard of other nodes for a time, or not for sure: in which
// rooms there are messages that it does not know, and who is in them no more. Safe for concurrent use.
type Watch struct {
	repo WatchRepo
	mu   sync.Mutex
	seen map[RoomID]int64 // the versions as of which it is known that all were members
}

// NewWatch returns a watch that has seen nothing yet.
func NewWatch(repo WatchRepo) *Watch { return &Watch{repo: repo, seen: make(map[RoomID]int64)} }

// Sighting is a room as it was seen.
type Sighting struct {
	Room RoomID
	Head int64 // seq of its last message; 0 when there is none, in a room that keeps none, and when it is gone
	// Changed tells that members may have come, gone or changed since Absent was last asked for the room.
	Changed bool

	version int64
}

// noVersion is that of a room which does not exist.
const noVersion = -1

// Check looks at the rooms that are followed on this node, in their order. What is not among them is forgotten.
func (w *Watch) Check(ctx context.Context, rooms []RoomID) ([]Sighting, error) {
	sightings := make([]Sighting, 0, len(rooms))
	for part := range slices.Chunk(rooms, MaxWatched) {
		heads, err := w.repo.Heads(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, room := range part {
			h, ok := heads[room]
			if !ok {
				h.Version = noVersion
			}
			sightings = append(sightings, Sighting{Room: room, Head: h.Seq, version: h.Version})
		}
	}
	w.compare(sightings)
	return sightings, nil
}

func (w *Watch) compare(sightings []Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.seen
	w.seen = make(map[RoomID]int64, len(sightings))
	for i := range sightings {
		s := &sightings[i]
		seen, ok := before[s.Room]
		if s.Changed = !ok || seen != s.version; ok {
			w.seen[s.Room] = seen
		}
	}
}

// Absent returns those of the users who are not members of a room that has changed. users are all who follow it on
// this node, gathered after the sighting: then the room has not changed for them until its version does.
func (w *Watch) Absent(ctx context.Context, s Sighting, users []UserID) ([]UserID, error) {
	var absent []UserID
	for part := range slices.Chunk(users, MaxWatched) {
		more, err := w.repo.Absent(ctx, s.Room, part)
		if err != nil {
			return nil, err
		}
		absent = append(absent, more...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[s.Room] = s.version
	return absent, nil
}
