package protocol

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

// presencePrefix begins the channels on which nodes tell of a user whom somebody watches there.
const presencePrefix = "presence:"

func presenceChannel(user biz.UserID) string { return presencePrefix + string(user) }

// Seen takes when users were last there. It must not block.
type Seen interface {
	Seen(user biz.UserID, at time.Time)
}

// Watches tells sessions who of those whom their clients watch has come, gone or looked away. What it knows of
// other nodes they tell it of users that somebody watches here, and it asks them: for whom it has just begun to
// watch, after word that something was lost, and everybody once in refreshEvery. A watch ends with the
// connection. Safe for concurrent use.
//
// Its lock is a leaf but for that of the presence.Tracker, and is not held while a session is told.
type Watches struct {
	node    *node.Node
	rules   *biz.Presences
	seen    Seen
	log     *slog.Logger
	stamp   atomic.Uint64
	news    news
	metrics watchMetrics

	resolving, telling, asking bell

	mu       sync.Mutex
	sessions map[string]*watch // by the session's id
	users    map[biz.UserID]*watched
	rooms    map[biz.RoomID]map[*watch]struct{} // that clients have named
	counts   map[biz.RoomID]*headcount
	line     []*watch                // to be resolved
	untold   map[*watch]struct{}     // with something to tell
	doubtful map[biz.UserID]struct{} // whom other nodes are to be asked about
	dropped  []biz.UserID            // whom nobody watches any more, perhaps
}

// watch is what one session wants to hear.
type watch struct {
	session *session.Session
	want    biz.Watching
	queued  bool // in line to be resolved
	again   bool // to be put in line when that is done
	busy    bool // being resolved
	gone    bool
	begun   bool // it was resolved once

	told   map[biz.UserID]biz.PresenceState // whom the client hears of, and what it heard last
	counts map[biz.RoomID]int               // -1: nothing yet
	dirty  map[biz.UserID]struct{}          // who may be in another state than the client heard
}

// watched is a user whom somebody watches here.
type watched struct {
	by    map[*watch]struct{}
	at    []sighting // on other nodes
	known bool       // those were asked
	seen  time.Time  // when he was last there, as far as it is known
}

// sighting is where a user is on another node, as of a stamp of that node.
type sighting struct {
	node  string
	state presence.State
	stamp uint64
}

// NewWatches returns the watches of a node, which also answers other nodes. It is called before the node runs;
// Run does the work.
func NewWatches(n *node.Node, rules *biz.Presences, seen Seen, log *slog.Logger) *Watches {
	w := &Watches{
		node: n, rules: rules, seen: seen, log: log, metrics: newWatchMetrics(),
		resolving: newBell(), telling: newBell(), asking: newBell(),
		sessions: make(map[string]*watch), users: make(map[biz.UserID]*watched),
		rooms: make(map[biz.RoomID]map[*watch]struct{}), counts: make(map[biz.RoomID]*headcount),
		untold: make(map[*watch]struct{}), doubtful: make(map[biz.UserID]struct{}),
	}
	w.news.init()
	w.stamp.Store(uint64(time.Now().UnixNano()))
	n.Presence().OnChange(w.changed)
	n.Claim(presencePrefix, func(user string) bool { return w.watches(biz.UserID(user)) })
	n.Handle(node.KindPresence, w.hear)
	n.HandleApart(node.KindWatched, maxViews, w.answer)
	n.OnMissed(w.missed)
	n.OnMember(w.member)
	n.OnLost(w.Drop)
	return w
}

// Run works until ctx ends.
func (w *Watches) Run(ctx context.Context) error {
	var g errgroup.Group
	for range resolvers {
		g.Go(func() error { w.resolve(ctx); return nil })
	}
	g.Go(func() error { w.tell(ctx); return nil })
	g.Go(func() error { w.ask(ctx); return nil })
	g.Go(func() error { w.spread(ctx); return nil })
	return g.Wait()
}

// Watch has a session hear of users and rooms, in place of whom it heard of before: of what is, soon, and then of
// what changes. What its user may not hear of is left out. Nobody ends it.
func (w *Watches) Watch(s *session.Session, want biz.Watching) error {
	if err := want.Check(); err != nil {
		return err
	}
	if !s.Events() {
		return biz.Errorf(biz.KindInvalid, "NO_EVENTS", "the session did not ask for events, without which it cannot be told of presence; name the capability when it opens")
	}
	w.mu.Lock()
	w.dropLocked(w.sessions[s.ID])
	if len(want.Users)+len(want.Rooms) > 0 && s.State() == session.Active {
		v := &watch{
			session: s, want: want,
			told: make(map[biz.UserID]biz.PresenceState), counts: make(map[biz.RoomID]int), dirty: make(map[biz.UserID]struct{}),
		}
		w.sessions[s.ID] = v
		for _, room := range want.Rooms {
			if w.rooms[room] == nil {
				w.rooms[room] = make(map[*watch]struct{})
			}
			w.rooms[room][v] = struct{}{}
		}
		w.queueLocked(v)
	}
	w.gaugeLocked()
	w.mu.Unlock()
	w.asking.ring() // for whom nobody watches any more
	if s.State() != session.Active {
		w.Drop(s) // it was lost meanwhile
	}
	return nil
}

// Drop ends what a session hears, if it hears something.
func (w *Watches) Drop(s *session.Session) {
	w.mu.Lock()
	v := w.sessions[s.ID]
	if v == nil || v.session != s {
		w.mu.Unlock()
		return
	}
	w.dropLocked(v)
	w.gaugeLocked()
	w.mu.Unlock()
	w.asking.ring()
}

func (w *Watches) dropLocked(v *watch) {
	if v == nil {
		return
	}
	v.gone = true
	delete(w.sessions, v.session.ID)
	delete(w.untold, v)
	for _, room := range v.want.Rooms {
		if delete(w.rooms[room], v); len(w.rooms[room]) == 0 {
			delete(w.rooms, room)
		}
	}
	for user := range v.told {
		w.unwatchLocked(v, user)
	}
	for room := range v.counts {
		w.uncountLocked(v, room)
	}
}

func (w *Watches) unwatchLocked(v *watch, user biz.UserID) {
	u := w.users[user]
	if u == nil {
		return
	}
	if delete(u.by, v); len(u.by) == 0 {
		delete(w.users, user)
		w.dropped = append(w.dropped, user)
	}
}

// watches tells whether somebody watches a user here.
func (w *Watches) watches(user biz.UserID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.users[user] != nil
}

// stateLocked is where a watched user is, on any node.
func (w *Watches) stateLocked(user biz.UserID, u *watched) presence.State {
	state := w.node.Presence().State(string(user))
	for _, s := range u.at {
		state = max(state, s.state)
	}
	return state
}

// Changed takes word that a room, or a member of it, is another than before: whom a client may hear of may have
// changed. An empty user is anybody.
func (w *Watches) Changed(room biz.RoomID, user biz.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for v := range w.rooms[room] {
		w.queueLocked(v)
	}
	if user == "" {
		return
	}
	if u := w.users[user]; u != nil {
		for v := range u.by {
			w.queueLocked(v)
		}
	}
	for _, s := range w.node.OfUser(string(user)) {
		if v := w.sessions[s.ID]; v != nil {
			w.queueLocked(v)
		}
	}
}

// bell wakes a goroutine. It rings once however often it was rung meanwhile.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// pause waits, and tells whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// about is a time that is not the same on all nodes: up to a quarter longer.
func about(d time.Duration) time.Duration { return d + rand.N(d/4+1) }
