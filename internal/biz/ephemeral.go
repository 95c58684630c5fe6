package biz

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// MaxEphemeralKind bounds what an ephemeral message calls itself, in bytes.
	MaxEphemeralKind = 64
	// MaxEphemeralData bounds its data, keys and values together.
	MaxEphemeralData = 4 << 10
	// EphemeralRead is the kind by which the server itself tells how far somebody has read.
	EphemeralRead = "read"
)

// Ephemeral is what a member tells those who are in a room now, such as that he is typing. It is kept nowhere
// and has no place in the room's order. Of one user's in one room with one kind, whoever is slow gets the last.
type Ephemeral struct {
	Room RoomID
	User UserID
	Kind string
	Data map[string]string
	Time time.Time
	// Origin is the session that sent it and does not get it; empty: a call.
	Origin SessionID
}

// Teller tells ephemeral messages to the sessions that want them and have room, on every node. It neither
// blocks nor fails.
type Teller interface{ DeliverEphemeral(e *Ephemeral) }

// EphemeralRules are the node's settings. One user may send so many on a node, in all his sessions together.
type EphemeralRules struct {
	PerSecond float64
	Burst     int
}

// Ephemerals is what is told and not kept. Safe for concurrent use.
type Ephemerals struct {
	rooms RoomRepo
	live  Teller
	pace  paces
}

// NewEphemerals returns the use cases of ephemeral messages.
func NewEphemerals(rooms RoomRepo, live Teller, rules EphemeralRules) *Ephemerals {
	e := &Ephemerals{rooms: rooms, live: live}
	e.pace.seed = maphash.MakeSeed()
	e.SetRules(rules)
	return e
}

// SetRules replaces the rules, for what is sent from then on.
func (e *Ephemerals) SetRules(rules EphemeralRules) { e.pace.rules.Store(&rules) }

// Send tells m to the members of its room who are there. The sender is a member who is not muted, as far as this
// node remembers: what another node has changed counts once that is heard. m belongs to Send from here on.
func (e *Ephemerals) Send(ctx context.Context, by Identity, m *Ephemeral) error {
	user, err := by.ActAs(m.User)
	if err != nil {
		return err
	}
	m.User = user
	if err := m.check(); err != nil {
		return err
	}
	if rules, ok := e.pace.allow(user); !ok {
		return Errorf(KindResourceLimit, "RATE_LIMITED", "more than %g ephemeral messages per second; send fewer", rules.PerSecond)
	}
	if err := e.permit(ctx, m); err != nil {
		return err
	}
	m.Time = time.Now()
	e.live.DeliverEphemeral(m)
	return nil
}

func (m *Ephemeral) check() error {
	if err := checkID("room_id", string(m.Room)); err != nil {
		return err
	}
	switch {
	case m.Kind == "":
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "kind is empty; it says what is told, such as \"typing\"")
	case len(m.Kind) > MaxEphemeralKind:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "kind has %d bytes; at most %d are allowed", len(m.Kind), MaxEphemeralKind)
	case m.Kind == EphemeralRead:
		return Errorf(KindInvalid, "RESERVED_KIND", "the kind %q is told by the server when somebody calls MarkRead", EphemeralRead)
	}
	if err := checkText("kind", m.Kind); err != nil {
		return err
	}
	size := 0
	for k, v := range m.Data {
		size += len(k) + len(v)
	}
	if size > MaxEphemeralData {
		return Errorf(KindInvalid, "DATA_TOO_LARGE", "data has %d bytes; at most %d are allowed", size, MaxEphemeralData)
	}
	for k, v := range m.Data {
		if err := checkText("data "+quote(k), k+v); err != nil {
			return err
		}
	}
	return nil
}

// permit finds out from memory whether the sender may speak, and asks the store before it says no.
func (e *Ephemerals) permit(ctx context.Context, m *Ephemeral) error {
	s, err := e.rooms.Speaker(ctx, m.Room, m.User)
	if err != nil {
		return explainNoMember(ctx, e.rooms, m.Room, m.User, err)
	}
	if !s.Member.MutedAt(time.Now()) {
		return nil
	}
	found, err := e.rooms.Memberships(ctx, m.User, []RoomID{m.Room})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return errNotIn(m.Room, m.User)
	case found[0].Member.MutedAt(time.Now()):
		return Errorf(KindPermissionDenied, "MUTED", "user %q is muted in room %q", m.User, m.Room)
	}
	return nil
}

const (
	paceShards = 16
	// maxPaces bounds how many users a shard remembers; then all of them may send their burst again.
	maxPaces = 4096
)

// paces are how fast users send, each by himself.
type paces struct {
	rules  atomic.Pointer[EphemeralRules]
	seed   maphash.Seed
	shards [paceShards]paceShard
}

type paceShard struct {
	mu    sync.Mutex
	rules *EphemeralRules // that users were made with
	users map[UserID]*rate.Limiter
}

func (p *paces) allow(user UserID) (EphemeralRules, bool) {
	rules := p.rules.Load()
	if rules.PerSecond <= 0 {
		return *rules, true
	}
	s := &p.shards[maphash.String(p.seed, string(user))%paceShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rules != rules || len(s.users) >= maxPaces {
		s.rules, s.users = rules, make(map[UserID]*rate.Limiter)
	}
	l := s.users[user]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(rules.PerSecond), rules.Burst)
		s.users[user] = l
	}
	return *rules, l.Allow()
}
