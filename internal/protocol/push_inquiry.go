package protocol

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	// answerWithin bounds how long others are waited for. A node that lives answers at once.
	answerWithin = 2 * time.Second
	// betterWithin is how long something better is waited for when a node has answered and how many were
	// asked is not known.
	betterWithin = 250 * time.Millisecond
)

// What is not known of a push, for people.
const (
	whyDown   = "the other nodes are out of reach"
	whySilent = "a node that may have had a session of it is gone, or did not answer in time"
	whyBusy   = "a node had too much to do"
	whyEnded  = "its session ended before the push was acknowledged"
)

// standing is the best that became of a push to one target, so far.
type standing struct {
	best session.Offered
	fate *session.Fate // of what waits on this node, if that is the best here
	why  string        // with session.Unsure
	from *inquiry      // the best is another node's; nil: it is this one's
	at   int           // place of the target in the inquiry
	node string        // which one
}

// offered is what a caller is told who does not wait.
func (s *standing) offered(to biz.Recipient) biz.Offered {
	return biz.Offered{Outcome: outcome(s.best, absent(to)), Why: s.why}
}

// doubt notes that something better may have happened.
func (s *standing) doubt(why string) {
	if s.best < session.Unsure {
		s.best, s.why, s.from = session.Unsure, why, nil
	}
}

// inquiry is a push that other nodes are asked to offer to targets that may have sessions there, and what
// they answer:
//
//   - a user or gid, on its channel, which the nodes follow that have such a session. How many those are is
//     not always known: the first answer that nothing could be better than ends it, any other one does so
//     after betterWithin;
//   - a session, on the channel of the node that has made it, and if that has it no more, on EveryNode;
//   - several targets, and whatever is to be acknowledged, on EveryNode: who is there is known, and all answer.
//
// Who does not answer within answerWithin, or is gone by then, leaves a doubt.
type inquiry struct {
	node    *node.Node
	number  uint64
	channel string
	to      []biz.Recipient
	enough  session.Offered // nothing is better
	noted   func()          // called behind each answer, with mu; nil: nobody cares
	awaited map[string]bool // nodes that are known to be asked and have not answered

	mu *sync.Mutex // guards what follows
	of []*standing // of each of to
}

// inquire makes an inquiry of the targets at some places.
func (p *Pusher) inquire(channel string, to []biz.Recipient, at []int, all []standing) *inquiry {
	q := &inquiry{
		node: p.node, number: p.numbers.Add(1), channel: channel, enough: session.Queued,
		to: make([]biz.Recipient, len(at)), of: make([]*standing, len(at)), mu: new(sync.Mutex),
	}
	for k, i := range at {
		q.to[k], q.of[k] = to[i], &all[i]
	}
	return q
}

func (q *inquiry) body(push *biz.Push, wait time.Duration) []byte {
	o := &wire.PushOffer{Number: q.number, Push: toWirePush(push), Wait: int64(wait), Targets: make([]*wire.PushTarget, len(q.to))}
	for i, to := range q.to {
		o.Targets[i] = toWireTarget(to)
	}
	return marshal(&wire.PushRequest{Kind: &wire.PushRequest_Offer{Offer: o}})
}

// tell has others offer the push, and does not wait: nothing that they could say is better.
func (q *inquiry) tell(push *biz.Push) {
	_ = q.node.Tell(q.channel, node.KindPush, q.body(push, 0)) // who was reached was reached
}

var errEnough = errors.New("nothing better has come")

// ask asks others, for answerWithin at most.
func (q *inquiry) ask(ctx context.Context, push *biz.Push) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	q.askFor(ctx, push, 0)
}

// askFor asks others until ctx ends; they wait as long for acknowledgements.
func (q *inquiry) askFor(ctx context.Context, push *biz.Push, wait time.Duration) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q.awaited = make(map[string]bool)
	id, direct := cutNode(q.channel)
	for _, other := range q.node.Others() {
		if direct && (id == "" || id == other) {
			q.awaited[other] = true
		}
	}
	var better *time.Timer
	err := q.node.Ask(ctx, q.channel, node.KindPush, q.body(push, wait), func(a broker.Answer) bool {
		more := q.take(a)
		if !direct && better == nil {
			better = time.AfterFunc(betterWithin, func() { cancel(errEnough) })
		}
		return more
	})
	if better != nil {
		better.Stop()
	}
	q.conclude(err, context.Cause(ctx))
}

// take notes what a node answered, and returns whether another one could still better it.
func (q *inquiry) take(a broker.Answer) (more bool) {
	var answer wire.PushAnswer
	if proto.Unmarshal(a.Body, &answer) != nil || len(answer.GetOutcomes()) != len(q.to) {
		return true // as if it had not answered
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.awaited, a.Node)
	for i, w := range answer.GetOutcomes() {
		s := q.of[i]
		o, why := fromWireOutcome(w)
		if o > s.best {
			s.best, s.why, s.from, s.at, s.node = o, why, q, i, a.Node
		}
		more = more || s.best < q.enough
	}
	if q.noted != nil {
		q.noted()
	}
	return more
}

// conclude notes what is not known when an inquiry has ended with err, in a context that ended for cause.
func (q *inquiry) conclude(err, cause error) {
	why := ""
	switch {
	case errors.Is(cause, errEnough):
	case errors.Is(err, broker.ErrDown):
		why = whyDown
	case err != nil && cause != nil || len(q.awaited) > 0:
		why = whySilent
	case err != nil && !errors.Is(err, broker.ErrNobody):
		why = err.Error()
	}
	if why == "" {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.of {
		s.doubt(why)
	}
}

// count has a node count the end of what waits there, since the targets at these places were answered so.
// Without places it says that nobody waits any more.
func (q *inquiry) count(channel string, at ...int32) {
	_ = q.node.Tell(channel, node.KindPush, marshal(&wire.PushRequest{Kind: &wire.PushRequest_Sequel{
		Sequel: &wire.PushSequel{Number: q.number, Queued: at},
	}})) // what is lost is not counted, as if the node had been killed
}
