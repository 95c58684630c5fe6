package plugins

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

const (
	// maxNotified is the members of the largest rooms that are all looked for; of larger ones those who are mentioned.
	maxNotified = 5000
	// maxTogether is how many users one call tells of.
	maxTogether = 500
	// notifyTries is how often in all a call is made that is refused by Unavailable, and maxPause the longest wait
	// before the next: what is for the same users waits as long.
	notifyTries = 4
	maxPause    = time.Minute
	// lookWithin bounds finding out who is away.
	lookWithin = 10 * time.Second
)

// Town is what notifiers ask who is in a room, and who is there.
type Town interface {
	// Room, Members and Member are those of biz.RoomRepo and biz.MemberRepo.
	Room(ctx context.Context, id biz.RoomID) (biz.Room, error)
	Members(ctx context.Context, room biz.RoomID, limit int) ([]biz.Member, error)
	Member(ctx context.Context, room biz.RoomID, user biz.UserID) (biz.Member, error)
	// Online is that of biz.Presence.
	Online(ctx context.Context, users []biz.UserID) []biz.UserID
}

// kept is something that waits for people, some of whom may be away.
type kept struct {
	message *biz.Message
	push    *biz.Push // for user
	user    biz.UserID
	at      time.Time
}

func (k *kept) size() int {
	if k.message != nil {
		return len(k.message.Content) + waitingOverhead
	}
	return len(k.push.Data) + len(k.push.Content) + waitingOverhead
}

// notifier is one plugin that is told of what waits for people who are away. One goroutine at a time finds out who
// that is; calls run beside it, never two at once with a user in common.
type notifier struct {
	member *member
	hook   *hook
	town   Town
	ctx    context.Context //nolint:containedctx // of what runs in the background, until stop
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting []kept
	bytes   int
	working bool
	lanes   map[string][]*errand // by user: the calls about him that run or wait, in order
	calls   int                  // that run
	behind  int                  // that wait for others of their users
	held    int                  // the bytes of those
	free    []*errand            // that wait for a place alone
	landed  sync.Cond            // when a call has ended
	idle    chan struct{}        // closed when nothing is left, if somebody waits for that
}

// errand is a call that is to be made.
type errand struct {
	told  plugin.Notification
	size  int
	ahead int // users in whose lanes another one is ahead
}

func newNotifier(m *member) *notifier {
	n := &notifier{member: m, hook: m.meters.hook("notify_offline"), lanes: map[string][]*errand{}}
	n.landed.L = &n.mu
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// offer has k looked at later, or drops and counts it.
func (n *notifier) offer(k kept) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.town == nil || len(n.waiting) >= n.member.guard().bounds.queue || n.bytes+k.size() > maxFeedBytes {
		n.hook.dropped.Inc()
		return
	}
	n.waiting = append(n.waiting, k)
	n.bytes += k.size()
	if !n.working {
		n.working = true
		go n.work()
	}
}

func (n *notifier) work() {
	for {
		k, ok := n.next()
		if !ok {
			return
		}
		if n.member.guard().breaker.resting(time.Now()) { // nor is the store asked
			n.hook.count(errLeftAlone, 0)
			n.hook.dropped.Inc()
			continue
		}
		users, err := n.away(&k)
		if err != nil {
			n.member.log.Warn("who is away could not be found out, and is not notified", "error", err)
			n.hook.dropped.Inc()
			continue
		}
		for together := range slices.Chunk(users, maxTogether) {
			n.fly(n.notification(&k, together), k.size())
		}
	}
}

func (n *notifier) next() (kept, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) == 0 {
		n.working, n.waiting = false, nil
		n.restLocked()
		return kept{}, false
	}
	k := n.waiting[0]
	n.waiting[0] = kept{}
	n.waiting = n.waiting[1:]
	n.bytes -= k.size()
	return k, true
}

func (n *notifier) restLocked() {
	if !n.working && n.calls == 0 && n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
}

// away returns whom k waits for and who is not there, nor has said it himself.
func (n *notifier) away(k *kept) ([]biz.UserID, error) {
	ctx, cancel := context.WithTimeout(n.ctx, lookWithin)
	defer cancel()
	users := []biz.UserID{k.user}
	if k.message != nil {
		var err error
		if users, err = n.members(ctx, k.message); err != nil {
			return nil, err
		}
		users = slices.DeleteFunc(users, func(u biz.UserID) bool { return u == k.message.Sender })
	}
	there := map[biz.UserID]bool{}
	for _, u := range n.town.Online(ctx, users) {
		there[u] = true
	}
	return slices.DeleteFunc(users, func(u biz.UserID) bool { return there[u] }), ctx.Err()
}

func (n *notifier) members(ctx context.Context, m *biz.Message) (users []biz.UserID, err error) {
	room, err := n.town.Room(ctx, m.Room)
	if err != nil {
		return nil, err
	}
	if room.Members > maxNotified {
		return n.mentioned(ctx, m)
	}
	members, err := n.town.Members(ctx, m.Room, maxNotified)
	for _, one := range members {
		users = append(users, one.User)
	}
	return users, err
}

// mentioned returns those whom a message names who are members.
func (n *notifier) mentioned(ctx context.Context, m *biz.Message) (users []biz.UserID, err error) {
	for _, u := range m.Mentions {
		switch _, err := n.town.Member(ctx, m.Room, u); {
		case err == nil:
			users = append(users, u)
		case biz.KindOf(err) != biz.KindNotFound:
			return nil, err
		}
	}
	return users, nil
}

// notification is what one call is about, with copies.
func (n *notifier) notification(k *kept, users []biz.UserID) plugin.Notification {
	told := plugin.Notification{Users: make([]string, len(users)), Time: k.at}
	for i, u := range users {
		told.Users[i] = string(u)
	}
	if m := k.message; m != nil {
		said := toldOf(m)
		told.Message = &said
		all := slices.Contains(m.Mentions, biz.MentionAll)
		for _, u := range users {
			if all || slices.Contains(m.Mentions, u) {
				told.Mentioned = append(told.Mentioned, string(u))
			}
		}
		return told
	}
	told.Push = pushedOf(k.push)
	return told
}

// fly makes a call as soon as there is a place for it. When another call about one of its users runs, or waits, it waits behind that,
// and what is for others goes on.
func (n *notifier) fly(told plugin.Notification, size int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.calls >= n.member.guard().bounds.concurrency {
		n.landed.Wait()
	}
	e := &errand{told: told, size: size}
	waits := slices.ContainsFunc(told.Users, func(u string) bool { return len(n.lanes[u]) > 0 })
	if waits && (n.behind >= n.member.guard().bounds.queue || n.held+size > maxFeedBytes) {
		n.hook.dropped.Inc()
		return
	}
	for _, u := range told.Users {
		lane := n.lanes[u]
		switch {
		case len(lane) == 0:
		case lane[len(lane)-1] == e: // he is named twice
			continue
		default:
			e.ahead++
		}
		n.lanes[u] = append(lane, e)
	}
	if waits {
		n.behind++
		n.held += size
		return
	}
	n.beginLocked(e)
}

func (n *notifier) beginLocked(e *errand) {
	n.calls++
	go n.tell(e, 1)
}

// followLocked takes a call that has ended from the lanes, and begins those that waited for nothing else, as far as there are places.
func (n *notifier) followLocked(ended *errand) {
	for _, u := range ended.told.Users {
		lane := n.lanes[u]
		if len(lane) == 0 || lane[0] != ended {
			continue
		}
		if lane = lane[1:]; len(lane) == 0 {
			delete(n.lanes, u)
			continue
		}
		n.lanes[u] = lane
		if next := lane[0]; next.ahead > 0 {
			if next.ahead--; next.ahead == 0 {
				n.behind--
				n.held -= next.size
				n.free = append(n.free, next)
			}
		}
	}
	for len(n.free) > 0 && n.calls < n.member.guard().bounds.concurrency {
		e := n.free[0]
		n.free[0] = nil
		n.free = n.free[1:]
		n.beginLocked(e)
	}
}

// tell makes a call for the first, second, … time.
func (n *notifier) tell(e *errand, try int) {
	if n.ctx.Err() != nil { // the plugin has ended, or is about to
		n.hook.dropped.Inc()
		n.land(e)
		return
	}
	w := &watch{}
	defer w.close()
	mine, err := n.member.do(w, n.hook, time.Now(), func(ctx context.Context, able *abilities) error { return able.notifies.NotifyOffline(ctx, e.told) }, func(error) { n.land(e) })
	if !mine {
		return
	}
	if pause, again := n.again(err, try); again {
		select {
		case <-time.After(pause):
			n.tell(e, try+1)
			return
		case <-n.ctx.Done():
		}
	}
	if unavailable(err) || errors.Is(err, errLeftAlone) || errors.Is(err, errBusy) {
		n.hook.dropped.Inc()
	}
	n.land(e)
}

// again tells whether to make a call once more, and when.
func (n *notifier) again(err error, try int) (pause time.Duration, again bool) {
	if try >= notifyTries || !unavailable(err) && (try == 1 || !errors.Is(err, errLeftAlone)) {
		return 0, false
	}
	return min(n.member.guard().advice(err), maxPause), true
}

func unavailable(err error) bool {
	var e *plugin.Error
	return errors.As(err, &e) && e.Kind == plugin.KindUnavailable
}

func (n *notifier) land(e *errand) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls--
	n.followLocked(e)
	n.landed.Broadcast()
	n.restLocked()
}

// settle waits until nothing is left, or ctx is done; then nothing is tried again.
func (n *notifier) settle(ctx context.Context) {
	defer n.cancel()
	n.mu.Lock()
	if !n.working && n.calls == 0 {
		n.mu.Unlock()
		return
	}
	if n.idle == nil {
		n.idle = make(chan struct{})
	}
	idle := n.idle
	n.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
