package e2e

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// seat is a client of the im.v1 stream, over gRPC and over WebSocket in turns, that hides nothing: it is
// a member of one room, speaks there, and resumes its session when a connection is lost. It belongs
// to the goroutine of run.
type seat struct {
	hello  Hello
	doors  doors
	rng    *rand.Rand
	ledger *Ledger
	quiet  func() bool
	stays  bool // on its connection, as long as that lasts

	ready   chan struct{} // closed when it has connected
	session string        // the first one; valid once it has
	done    chan struct{} // closed by whoever wants the session to end

	connects, resumes, renewals, repeats atomic.Int64

	id, ticket string
	shown      bool            // the ticket, in an attempt of which nothing is known
	link       uint64          // the last frame of the session that came
	place      int64           // the last seq of the room
	said       uint64          // the number that is being said; 0: none
	early      map[int64]bool  // places of its own that it has been told of, and not reached
	again      map[string]bool // message ids of what was sent more than once, and so is answered more than once
}

func newSeat(user, room string, seed uint64, d doors, l *Ledger, quiet func() bool) *seat {
	gid, _ := strconv.ParseUint(user, 10, 64) // any other seeds all alike
	rng := rand.New(rand.NewPCG(seed, gid))
	h := Hello{User: user, GID: user, Room: room, Device: "seat", Capabilities: "ack,resume"}
	if rng.IntN(2) == 0 {
		h.Capabilities += ",batch"
	}
	return &seat{hello: h, doors: d, rng: rng, ledger: l, quiet: quiet, ready: make(chan struct{}), done: make(chan struct{}), early: map[int64]bool{}, again: map[string]bool{}}
}

// run connects again and again until the session has ended or ctx does.
func (s *seat) run(ctx context.Context) {
	for over := false; !over && ctx.Err() == nil; {
		h := s.hello
		if s.id != "" {
			h.Session, h.Ticket, h.Last = s.id, s.ticket, s.link
		}
		try, cancel := context.WithTimeout(ctx, attempt)
		c, greeted, err := s.doors.im(try, []string{overGRPC, overWebSocket}[s.rng.IntN(2)], h)
		cancel()
		if err != nil {
			s.shown = true
			doze(ctx, 100*time.Millisecond)
			continue
		}
		s.greeted(greeted)
		over = s.converse(ctx, c)
		doze(ctx, time.Duration(s.rng.Int64N(int64(300*time.Millisecond))))
	}
}

func (s *seat) greeted(header func(string) string) {
	s.connects.Add(1)
	s.ticket = header("resume-ticket")
	switch id := header("session-id"); {
	case s.id == "":
		s.id, s.session = id, id
		close(s.ready)
	case header("resumed") == "true":
		s.resumes.Add(1)
	default:
		s.renewed(id)
	}
	s.shown = false
}

// renewed begins anew. That is right only if the ticket was used up by an attempt whose answer was lost
// on its way; then the client knows that it may have missed pushes. What is said in rooms is kept.
func (s *seat) renewed(id string) {
	if !s.shown {
		s.ledger.Wrong("%s: the session was not resumed", s.hello.User)
	}
	s.renewals.Add(1)
	s.id, s.link = id, 0
	for _, name := range s.names() {
		s.ledger.Excuse(name.lane(), name.kind == "session")
	}
}

// names are what the client can be pushed to by.
func (s *seat) names() []target {
	user := s.hello.User
	return []target{{"openid", user, user}, {"gid", user, user}, {"session", s.session, user}}
}

// converse speaks over one connection until it is lost, and tells whether the session was to end.
func (s *seat) converse(ctx context.Context, c carrier) (over bool) {
	frames := readAll(c)
	defer func() {
		c.hangUp()
		for range frames { // until its goroutine ends
		}
	}()
	if s.said != 0 {
		s.again[letter(speech(s.hello.User), s.said)] = true
	}
	err := s.say(c)
	beat := time.NewTicker(beatEvery/2 + time.Duration(s.rng.Int64N(int64(beatEvery))))
	defer beat.Stop()
	roam := time.NewTimer(time.Second + time.Duration(s.rng.Int64N(int64(roamWithin))))
	defer roam.Stop()
	deaf := time.NewTimer(silence)
	defer deaf.Stop()
	for err == nil {
		select {
		case frame, ok := <-frames:
			if !ok {
				return false
			}
			deaf.Reset(silence)
			err = s.take(c, frame)
		case <-beat.C:
			err = s.send(c, &imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT})
			if err == nil && s.said == 0 && !s.quiet() && s.rng.IntN(2) == 0 {
				s.said = s.ledger.Send(speech(s.hello.User))
				err = s.say(c)
			}
		case <-roam.C:
			if !s.quiet() && !s.stays {
				return false
			}
		case <-deaf.C:
			return false
		case <-s.done:
			return c.finish() == nil
		case <-ctx.Done():
			return true
		}
	}
	return false
}

// speech is the lane of what a member says in his room.
func speech(user string) string { return "words of " + user }

// say sends what has no answer yet, perhaps for the second time, under the same id.
func (s *seat) say(c carrier) error {
	if s.said == 0 {
		return nil
	}
	text := letter(speech(s.hello.User), s.said)
	return s.send(c, &imv1.MessageRequest{MessageId: text, RoomId: s.hello.Room, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text)})
}

func (s *seat) send(c carrier, m *imv1.MessageRequest) error {
	frame, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return c.send(frame)
}

// take handles what came, and acknowledges it.
func (s *seat) take(c carrier, data []byte) error {
	m := &imv1.MessageResponse{}
	if err := proto.Unmarshal(data, m); err != nil {
		s.ledger.Wrong("%s: a frame that is none: %v", s.hello.User, err)
		return err
	}
	for _, f := range unfold(m) {
		switch {
		case f.Link <= s.link:
			s.repeats.Add(1)
			continue
		case f.Link != s.link+1:
			s.ledger.Wrong("%s: frame %d after %d", s.hello.User, f.Link, s.link)
		}
		s.link = f.Link
		s.handle(f)
	}
	return s.send(c, &imv1.MessageRequest{
		Type:     imv1.MessageType_MESSAGE_TYPE_ACK,
		Metadata: map[string]string{"link-seq": strconv.FormatUint(s.link, 10)},
	})
}

func (s *seat) handle(f Frame) {
	if f.GetSeq() > 0 && !s.stands(f) {
		return
	}
	switch f.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_TEXT, imv1.MessageType_MESSAGE_TYPE_SYSTEM:
		if f.GetFromUserId() == s.hello.User && s.renewals.Load() > 0 {
			return // sent by a session before this one
		}
		lane, number := address(string(f.GetContent()))
		s.ledger.Hear(s.hello.User, lane, number)
	case imv1.MessageType_MESSAGE_TYPE_ACK:
		s.answered(f)
	}
}

// stands checks the place of a frame in the room, and tells whether it is news.
func (s *seat) stands(f Frame) bool {
	switch ack, renewed := f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK, s.renewals.Load() > 0; {
	case ack && f.GetSeq() <= s.place:
		s.answeredAgain(f)
		return false
	case ack && f.GetSeq() > s.place+1 && s.place > 0:
		// The session reads the room's log, in which it finds nothing of its own.
		s.early[f.GetSeq()] = true
		return true
	case f.GetSeq() <= s.place && renewed:
		s.repeats.Add(1) // of a session before this one
		return false
	}
	for s.early[s.place+1] {
		s.place++
	}
	// After a renewal an answer of its own may be missing.
	if f.GetSeq() != s.place+1 && s.place > 0 && (s.renewals.Load() == 0 || f.GetSeq() <= s.place) {
		s.ledger.Wrong("%s: seq %d after %d", s.hello.User, f.GetSeq(), s.place)
	}
	s.place = f.GetSeq()
	return true
}

// answeredAgain handles an answer that does not stand at its message's place: the answer to a repetition.
func (s *seat) answeredAgain(f Frame) {
	ack := &imv1.AckContent{}
	if err := proto.Unmarshal(f.GetContent(), ack); err != nil || !s.again[ack.GetOriginalMessageId()] {
		s.ledger.Wrong("%s: an answer with seq %d after %d, to %v, %v", s.hello.User, f.GetSeq(), s.place, ack, err)
	}
	s.answered(f) // the first answer may have been lost with a session before this one
}

// answered handles the answer to what was said.
func (s *seat) answered(f Frame) {
	ack := &imv1.AckContent{}
	if err := proto.Unmarshal(f.GetContent(), ack); err != nil || !ack.GetSuccess() {
		s.ledger.Wrong("%s: refused: %v, %v", s.hello.User, ack, err)
		return
	}
	if ack.GetOriginalMessageId() == letter(speech(s.hello.User), s.said) {
		s.ledger.Settle(speech(s.hello.User), s.said, accepted)
		s.said = 0
	}
}
