package protocol

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
)

const (
	// numberFor is how long a room's home may take to number a message. A home that was killed is silent for a
	// second more until it is known to be gone.
	numberFor = 3 * time.Second
	// What one request has of messages.
	numberAtOnce      = 64
	numberAtOnceBytes = 256 << 10
	// maxUnnumbered bounds what waits on a node for its number, in all rooms together.
	maxUnnumbered = 16_384
)

// sequencer has the messages of rooms that keep nothing numbered by one node for each room, its home, so that
// everybody sees them in one order. What waits for that waits in a lane for each room; a lane has a goroutine
// while something waits in it.
type sequencer struct {
	node *node.Node

	mu      sync.Mutex
	lanes   map[string][]unnumbered // by channel
	waiting int
}

// unnumbered is a message that has no place in its room yet.
type unnumbered struct {
	draft *biz.Draft
	done  func(error)
}

// newSequencer returns the sequencer of a node, which answers what others have numbered here.
func newSequencer(n *node.Node) *sequencer {
	s := &sequencer{node: n, lanes: make(map[string][]unnumbered)}
	n.Handle(node.KindSequence, s.answer)
	if n.ID() != "" {
		n.NumberedBy(s)
	}
	return s
}

// Sequence implements biz.Sequencer. What the home does not take, or may not have taken, is refused.
func (d *Deliverer) Sequence(m *biz.Draft, done func(error)) {
	if d.node.ID() == "" {
		d.Deliver(m)
		done(nil)
		return
	}
	d.sequencer.push(unnumbered{m, done})
}

func (s *sequencer) push(u unnumbered) {
	channel := RoomChannel(u.draft.Room)
	s.mu.Lock()
	lane, busy := s.lanes[channel]
	if s.waiting >= maxUnnumbered {
		s.mu.Unlock()
		u.done(errNumber("too many messages wait for their place in rooms of other nodes"))
		return
	}
	s.lanes[channel] = append(lane, u)
	s.waiting++
	s.mu.Unlock()
	if !busy {
		if _, here := s.node.Home(channel); here {
			s.run(channel) // which does not wait
			return
		}
		go s.run(channel)
	}
}

func errNumber(text string) error {
	return biz.Errorf(biz.KindUnavailable, "ROOM_UNAVAILABLE", "%s; try again", text)
}

// run works a lane off.
func (s *sequencer) run(channel string) {
	for batch := s.next(channel); len(batch) > 0; batch = s.next(channel) {
		if home, here := s.node.Home(channel); here {
			s.number(batch)
		} else {
			s.handOver(home, batch)
		}
	}
}

// next takes from a lane what goes into one request, and ends a lane that is empty.
func (s *sequencer) next(channel string) []unnumbered {
	s.mu.Lock()
	defer s.mu.Unlock()
	lane := s.lanes[channel]
	n, bytes := 0, 0
	for n < len(lane) && n < numberAtOnce && (n == 0 || bytes+lane[n].draft.Bytes() <= numberAtOnceBytes) {
		bytes += lane[n].draft.Bytes()
		n++
	}
	if n == 0 {
		delete(s.lanes, channel)
		return nil
	}
	s.waiting -= n
	s.lanes[channel] = lane[n:]
	return lane[:n:n]
}

// number gives messages their place here.
func (s *sequencer) number(batch []unnumbered) {
	for _, u := range batch {
		p := publication(&u.draft.Message)
		p.Origin, p.Reply = claim(u.draft)
		if _, err := s.node.PublishInTurn(p); err != nil { // it is too large for the others, and was delivered here
			s.node.Core().Log.Warn("a message reached this node's sessions alone", "channel", p.Channel, "error", err)
		}
		u.done(nil)
	}
}

// claim returns the session that a message answers, if it was told nothing else before, and the answer.
func claim(d *biz.Draft) (origin string, answer *frame.Frame) {
	if d.Origin == "" || d.Asked != nil && !d.Asked.Answer() {
		return "", nil
	}
	return string(d.Origin), reply(d)
}

// handOver has messages of one room numbered by its home. What was published comes back by the broker and,
// since that may lose it, with the answer; whatever is first has the sender's reply.
func (s *sequencer) handOver(home string, batch []unnumbered) {
	req := &wire.SequenceRequest{}
	for _, u := range batch {
		payload, err := Codec{}.Append(nil, &u.draft.Message)
		if err != nil {
			s.node.Core().Log.Error("a message cannot be encoded", "room", u.draft.Room, "error", err)
		}
		req.Payloads = append(req.Payloads, payload)
		s.node.Expect(u.draft.ID, func() (string, *frame.Frame) { return claim(u.draft) })
	}
	ctx, cancel := context.WithTimeout(context.Background(), numberFor)
	defer cancel()
	answer, err := s.ask(ctx, home, req)
	for i, u := range batch {
		var place *wire.Place
		if i < len(answer.GetPayloads()) {
			place = answer.GetPayloads()[i]
		}
		s.settle(u, turnOf(place), err)
	}
}

// settle ends the wait of one message.
func (s *sequencer) settle(u unnumbered, turn frame.Turn, err error) {
	var p *frame.Publication
	if err == nil && turn.Number > 0 {
		p = publication(&u.draft.Message)
		p.ID, p.Turn = u.draft.ID, turn
	}
	switch arrived := s.node.SettleExpected(u.draft.ID, p); {
	case arrived:
		u.done(nil)
	case err != nil:
		u.done(biz.AsError(errNumber("the node that orders the room did not answer")).Because(err))
	default:
		u.done(errNumber("the node that orders the room did not take the message"))
	}
}

func (s *sequencer) ask(ctx context.Context, home string, req *wire.SequenceRequest) (*wire.SequenceAnswer, error) {
	body, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	answer := &wire.SequenceAnswer{}
	answered := broker.ErrNobody
	err = s.node.Ask(ctx, broker.NodeChannel(home), node.KindSequence, body, func(a broker.Answer) bool {
		answered = proto.Unmarshal(a.Body, answer)
		return false
	})
	if err == nil {
		err = answered
	}
	return answer, err
}

// answer numbers what another node asks for.
func (s *sequencer) answer(r broker.Request) {
	req, answer := &wire.SequenceRequest{}, &wire.SequenceAnswer{}
	if err := proto.Unmarshal(r.Body, req); err != nil {
		s.node.Core().Log.Warn("another node's request to number messages cannot be read", "node", r.Node, "error", err)
	}
	for _, payload := range req.GetPayloads() {
		answer.Payloads = append(answer.Payloads, s.publish(payload))
	}
	for _, channel := range req.GetChannels() {
		answer.Channels = append(answer.Channels, placeOf(s.node.LastTurn(channel)))
	}
	body, err := proto.Marshal(answer)
	if err != nil {
		s.node.Core().Log.Error("an answer cannot be encoded", "error", err)
		return
	}
	r.Answer(body)
}

// publish numbers a message of another node's.
func (s *sequencer) publish(payload []byte) *wire.Place {
	decoded, err := Codec{}.Decode(payload)
	m, ok := decoded.(*biz.Message)
	if err != nil || !ok {
		s.node.Core().Log.Warn("another node's message cannot be read", "error", err)
		return &wire.Place{}
	}
	p := publication(m)
	p.ID = m.ID
	turn, err := s.node.PublishInTurn(p)
	if err != nil {
		s.node.Core().Log.Warn("a message that was numbered did not reach the broker", "channel", p.Channel, "error", err)
	}
	return placeOf(turn)
}

// Turns implements hub.Turns.
func (s *sequencer) Turns(ctx context.Context, channels []string) map[string]frame.Turn {
	turns := make(map[string]frame.Turn, len(channels))
	byHome := make(map[string][]string)
	for _, channel := range channels {
		if home, here := s.node.Home(channel); here {
			turns[channel] = s.node.LastTurn(channel)
		} else {
			byHome[home] = append(byHome[home], channel)
		}
	}
	for home, theirs := range byHome {
		ctx, cancel := context.WithTimeout(ctx, numberFor)
		answer, err := s.ask(ctx, home, &wire.SequenceRequest{Channels: theirs})
		cancel()
		if err != nil {
			continue
		}
		for i, place := range answer.GetChannels() {
			if i < len(theirs) {
				turns[theirs[i]] = turnOf(place)
			}
		}
	}
	return turns
}

// Gap implements hub.Turns.
func (s *sequencer) Gap(channel string) *frame.Frame {
	room, _ := RoomOf(channel)
	now := time.Now()
	return frame.New(&Missed{ID: biz.NewMessageID(room, 0, now), Room: room, Time: now})
}

func turnOf(p *wire.Place) frame.Turn { return frame.Turn{Epoch: p.GetEpoch(), Number: p.GetNumber()} }

func placeOf(t frame.Turn) *wire.Place { return &wire.Place{Epoch: t.Epoch, Number: t.Number} }
