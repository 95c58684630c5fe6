package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// scribe says one thing after another in several rooms, each under an id of its own. What fails it says
// again until it is acknowledged, but for some things, which it gives up. It belongs to the goroutine of
// run until that has returned.
type scribe struct {
	user  string
	rooms []string
	im    imv1.IMServiceClient
	rng   *rand.Rand
	acked *atomic.Int64

	said map[string]*saying // by content
}

// saying is what became of a message.
type saying struct {
	user string
	room string
	seq  int64  // 0: it was never acknowledged
	id   string // the server's
}

func newScribe(user string, im imv1.IMServiceClient, seed uint64, acked *atomic.Int64, rooms ...string) *scribe {
	var number uint64
	for _, c := range user {
		number = number*31 + uint64(c)
	}
	return &scribe{
		user: user, rooms: rooms, im: im, rng: rand.New(rand.NewPCG(seed, number)), acked: acked,
		said: map[string]*saying{},
	}
}

// run speaks until stop is closed; the last message has its end, too. An error is one that no sender
// should ever see.
func (s *scribe) run(ctx context.Context, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := s.speak(ctx); err != nil {
			return err
		}
	}
}

func (s *scribe) speak(ctx context.Context) error {
	content := fmt.Sprintf("%s says %d", s.user, len(s.said)+1)
	m := &saying{user: s.user, room: s.rooms[s.rng.IntN(len(s.rooms))]}
	s.said[content] = m
	req := &imv1.SendMessageRequest{UserId: s.user, RoomId: m.room, Type: text, Content: []byte(content), MessageId: "id of " + content}
	for attempt := 1; ; attempt++ {
		try, cancel := context.WithTimeout(ctx, patience)
		resp, err := s.im.SendMessage(try, req)
		cancel()
		if err == nil {
			m.seq, m.id = resp.GetSeq(), resp.GetMessageId()
			s.acked.Add(1)
			return nil
		}
		if !isGone(err) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", content, err)
		}
		if attempt == 1 && s.rng.IntN(3) == 0 {
			return nil
		}
		doze(ctx, 20*time.Millisecond)
	}
}

// auditRoom compares the log of a room with what was said there, by content, and tells what is wrong: every
// acknowledged message stands at its place and nothing twice, and there are no holes.
func auditRoom(log []Frame, said map[string]*saying) (faults []string) {
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	found := map[string]bool{}
	for i, f := range log {
		content := string(f.GetContent())
		m := said[content]
		if f.GetSeq() != int64(i+1) {
			wrong("place %d has seq %d", i+1, f.GetSeq())
		}
		if found[content] {
			wrong("%q came twice", content)
		}
		found[content] = true
		switch {
		case m == nil:
			wrong("%q was never said", content)
		case m.user != f.GetFromUserId():
			wrong("%q was said by %s and stored as if by %s", content, m.user, f.GetFromUserId())
		case m.seq != 0 && (m.seq != f.GetSeq() || m.id != f.GetMessageId()):
			wrong("%q was acknowledged as %d %s and stored as %d %s", content, m.seq, m.id, f.GetSeq(), f.GetMessageId())
		}
	}
	for content, m := range said {
		if m.seq != 0 && !found[content] {
			wrong("%q was acknowledged as %d and is lost", content, m.seq)
		}
	}
	return faults
}
