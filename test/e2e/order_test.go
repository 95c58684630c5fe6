package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// busySender sends count messages over a stream with capability ack, a window of them at a time, and
// keeps what the stream brings.
type busySender struct {
	*Stream
	user   string
	count  int
	window int

	acked map[string]int64 // message id → seq
	all   []int64          // seq of every durable frame, messages of others and ACKs, in order
}

func (b *busySender) run(ctx context.Context, room string) error {
	sent := 0
	for len(b.acked) < b.count {
		for sent < b.count && sent-len(b.acked) < b.window {
			sent++
			b.Say(room, fmt.Sprint(sent), fmt.Sprintf("%s %d", b.user, sent))
		}
		f, err := b.next(ctx)
		if err != nil {
			return fmt.Errorf("%s, %d of %d acknowledged: %w", b.user, len(b.acked), b.count, err)
		}
		b.note(f)
	}
	return nil
}

func (b *busySender) note(f Frame) {
	if f.Link > 0 {
		b.AckLink(f.Link)
	}
	if f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK {
		ack := f.Ack(b.t)
		if !ack.GetSuccess() {
			b.t.Errorf("%s: refused: %v", b.user, ack)
		}
		b.acked[ack.GetOriginalMessageId()] = f.GetSeq()
	}
	if f.GetSeq() > 0 {
		b.all = append(b.all, f.GetSeq())
	}
}

// settled waits until all sessions have caught up, so that what follows is live for them.
func (n *Node) settled(sessions int) {
	n.t.Helper()
	n.AwaitMetric(float64(sessions), "hermod_session_caught_up_total")
}

// TestA4SameOrderForEverybody has four senders talk at once in a room. Three receivers of different
// kinds see one order, and so do the senders, whose ACKs stand where their own messages are.
func TestA4SameOrderForEverybody(t *testing.T) {
	n := Start(t, "")
	each := 1000
	if testing.Short() {
		each = 250
	}
	receivers := map[string]*Stream{
		"plain":  n.Connect(Hello{User: "r-plain", Room: "room"}),
		"batch":  n.Connect(Hello{User: "r-batch", Room: "room", Capabilities: "batch"}),
		"resume": n.Connect(Hello{User: "r-resume", Room: "room", Capabilities: "resume, batch"}),
	}
	senders := make([]*busySender, 4)
	for i := range senders {
		user := fmt.Sprintf("sender-%d", i)
		senders[i] = &busySender{
			Stream: n.Connect(Hello{User: user, Room: "room", Capabilities: "ack,batch"}),
			user:   user, count: each, window: 64, acked: map[string]int64{},
		}
	}
	n.settled(2 * (len(receivers) + len(senders))) // each follows the room and an inbox
	for _, r := range receivers {
		r.Flush() // of notices about those who came
	}
	for _, s := range senders {
		s.Flush()
	}
	total := len(senders) * each
	var wg sync.WaitGroup
	for _, s := range senders {
		wg.Go(func() {
			if err := s.run(within(t), "room"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	order := receiveAll(t, "plain", receivers["plain"], total)
	for _, name := range []string{"batch", "resume"} {
		for i, content := range receiveAll(t, name, receivers[name], total) {
			if content != order[i] {
				t.Fatalf("seq %d is %q to the plain receiver and %q to the one with %s", i+1, order[i], content, name)
			}
		}
	}
	for _, s := range senders {
		checkSender(t, s, order)
	}
}

// receiveAll takes total messages, which must be numbered from 1, and returns their contents.
func receiveAll(t *testing.T, name string, s *Stream, total int) []string {
	t.Helper()
	contents := make([]string, 0, total)
	link := uint64(0)
	for i := range total {
		f := s.Next()
		if f.GetSeq() != int64(i+1) {
			t.Fatalf("%s: frame %d has seq %d", name, i+1, f.GetSeq())
		}
		switch {
		case name != "resume" && f.Link != 0:
			t.Fatalf("%s: link_seq %d", name, f.Link)
		case name == "resume" && link > 0 && f.Link != link+1:
			t.Fatalf("%s: link_seq %d after %d", name, f.Link, link)
		case name == "resume" && i%100 == 0:
			s.AckLink(f.Link)
		case name == "plain" && f.Batched:
			t.Fatal("plain: an envelope")
		}
		link = f.Link
		contents = append(contents, string(f.GetContent()))
	}
	if rest := s.Flush(); len(rest) > 0 {
		t.Errorf("%s: %d more frames: %v", name, len(rest), rest[0])
	}
	return contents
}

func checkSender(t *testing.T, s *busySender, order []string) {
	t.Helper()
	for _, f := range s.Flush() {
		s.note(f)
	}
	for i, seq := range s.all {
		if seq != int64(i+1) {
			t.Fatalf("%s: durable frame %d has seq %d", s.user, i+1, seq)
		}
	}
	if len(s.all) != len(order) {
		t.Errorf("%s saw %d of %d", s.user, len(s.all), len(order))
	}
	last := int64(0)
	for k := 1; k <= s.count; k++ {
		seq := s.acked[fmt.Sprint(k)]
		if want := fmt.Sprintf("%s %d", s.user, k); order[seq-1] != want {
			t.Errorf("%q was acknowledged as %d, which is %q", want, seq, order[seq-1])
		}
		if seq <= last {
			t.Errorf("%s: message %d has seq %d, the one before it %d", s.user, k, seq, last)
		}
		last = seq
	}
}

// TestA3Contiguous sends good and bad messages in turn to several rooms, by calls and by streams:
// what is refused takes no place.
func TestA3Contiguous(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	rooms := []string{"one", "two", "three"}
	const each = 100
	var wg sync.WaitGroup
	for _, room := range rooms {
		join(t, im, room, "reader", "caller", "streamer")
		stream := n.Connect(Hello{User: "streamer", Room: room, Capabilities: "ack"})
		wg.Go(func() {
			for i := range each {
				mixed(t, im, room, i)
			}
		})
		wg.Go(func() {
			for i := range each {
				stream.Say("", "", "good")
				stream.Send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM, Content: []byte("bad")})
				stream.Say("nowhere", fmt.Sprint(i), "bad")
			}
		})
	}
	wg.Wait()
	for _, room := range rooms {
		n.eventually("all is stored", func() bool {
			return info(t, im, room, "reader").GetRoomInfo().GetMessageCount() == 2*each
		})
		reader := n.Connect(Hello{User: "reader", Room: room})
		for i := range 2 * each {
			f := reader.Next()
			if f.GetSeq() != int64(i+1) || string(f.GetContent()) != "good" || f.GetRoomId() != room {
				t.Fatalf("%s: frame %d is %v", room, i+1, f)
			}
		}
	}
}

// mixed sends a good message and one that is refused.
func mixed(t *testing.T, im imv1.IMServiceClient, room string, i int) {
	t.Helper()
	bad := &imv1.SendMessageRequest{UserId: "caller", RoomId: room, Type: text, Content: []byte("bad")}
	switch i % 3 {
	case 0:
		bad.Type = 99
	case 1:
		bad.UserId = "stranger"
	case 2:
		bad.Metadata = map[string]string{"k": strings.Repeat("x", 20<<10)}
	}
	if _, err := im.SendMessage(t.Context(), bad); err == nil {
		t.Errorf("%v was accepted", bad)
	}
	good := &imv1.SendMessageRequest{UserId: "caller", RoomId: room, Type: text, Content: []byte("good")}
	if _, err := im.SendMessage(t.Context(), good); err != nil {
		t.Error(err)
	}
}
