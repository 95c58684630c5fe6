package datatest

import (
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// sized sends texts of these many bytes, all at once.
func (s scene) sized(room biz.RoomID, lengths ...int) {
	s.t.Helper()
	answers := make(chan error, len(lengths))
	for _, n := range lengths {
		s.Log.Append(text(room, "u", "", strings.Repeat("x", n)), func(_ biz.Receipt, err error) { answers <- err })
	}
	for range lengths {
		if err := <-answers; err != nil {
			s.t.Fatal(err)
		}
	}
}

// bytesOf is what messages with contents of these lengths count.
func bytesOf(lengths ...int) (n int64) {
	for _, length := range lengths {
		n += int64(length) + biz.MessageOverhead
	}
	return n
}

// testKeepBytes: a room keeps the newest messages that have so many bytes together, content and metadata, and no other
// room is touched; one byte less is one message less.
func testKeepBytes(s scene) {
	for _, room := range []biz.RoomID{"r", "small", "empty", "described"} {
		s.joinFor(room, 0)
	}
	s.sized("r", 100, 0, 50, 300, 7)
	s.sized("small", 1)
	for range 2 {
		d := text("described", "u", "", "é")
		d.Metadata = map[string]string{"k": "v"} // as {"k":"v"}
		s.mustAppend(d)
	}
	now := time.Now()
	s.purge(now, biz.Retention{MaxBytes: bytesOf(100, 0, 50, 300, 7)})
	s.wantKept("r", 0, 5)
	s.purge(now, biz.Retention{MaxBytes: bytesOf(100, 0, 50, 300, 7) - 1})
	s.wantKept("r", 1, 5)
	s.purge(now, biz.Retention{MaxBytes: bytesOf(50, 300, 7)})
	s.wantKept("r", 2, 5)
	s.wantKept("small", 0, 1)
	s.wantKept("empty", 0, 0)
	s.wantKept("described", 0, 2)
	s.purge(now, biz.Retention{MaxBytes: 2 * bytesOf(len("é")+len(`{"k":"v"}`))})
	s.wantKept("described", 0, 2)
	s.purge(now, biz.Retention{MaxBytes: 2*bytesOf(len("é")+len(`{"k":"v"}`)) - 1})
	s.wantKept("described", 1, 2)
	s.wantKept("r", 4, 5)
	s.purge(now, biz.Retention{MaxBytes: 1 << 40})
	s.purge(now, biz.Retention{})
	s.wantKept("r", 4, 5)
}

// testKeepManyBytes: it is the same with more messages than are looked at one by one, again and again.
func testKeepManyBytes(s scene) {
	s.joinFor("r", 0)
	const head = 2500
	lengths := make([]int, head)
	for i := range lengths {
		lengths[i] = i * 7 % 90
	}
	s.sized("r", lengths...)
	s.purge(time.Now(), biz.Retention{MaxBytes: 1 << 40}) // it is known how many there are
	for _, floor := range []int64{1, 255, 256, 257, 300, 1024, 1500, 2303, 2304, 2305, 2400} {
		s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(lengths[floor:]...)})
		s.wantKept("r", floor, head)
		s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(lengths[floor:]...)})
		s.wantKept("r", floor, head)
	}
	s.sized("r", 1, 2, 3)
	s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(lengths[2450:]...) + bytesOf(1, 2, 3)})
	s.wantKept("r", 2450, head+3)
}

// testKeepNewest: there always is something, and where several limits are set the strictest counts.
func testKeepNewest(s scene) {
	s.joinFor("r", 0)
	s.joinFor("brief", time.Hour)
	s.sized("r", 100, 100, 5000)
	s.sized("brief", 1, 1, 1)
	s.purge(time.Now(), biz.Retention{MaxBytes: 1})
	s.wantKept("r", 2, 3)
	s.wantKept("brief", 2, 3)
	s.sized("r", 1, 1, 1, 1)
	s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(1, 1, 1), MaxMessages: 2})
	s.wantKept("r", 5, 7)
	s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(1), MaxMessages: 2})
	s.wantKept("r", 6, 7)
	s.purge(time.Now().Add(2*time.Hour), biz.Retention{MaxBytes: 1 << 20})
	s.wantKept("brief", 3, 3)
}

// testKeepBytesBeside: what is known about messages, and recordings that nothing else refers to, go with them, and
// a message that was recalled counts as it is.
func testKeepBytesBeside(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	a, b := s.record(1, "r", aTime), s.record(2, "r", aTime)
	s.refer("r", a)
	s.refer("r", b)
	seq := s.send(messages, text("r", "u", "", strings.Repeat("x", 900))).Seq
	s.revised(revisions.React(s.context(), as("v"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "ok"}))
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: seq}))
	var lengths []int
	for _, m := range s.page("r", 0, 10) {
		n := len(m.Content)
		if len(m.Metadata) > 0 {
			n += len(`{"":""}`) + len(biz.MetaEventType) + len(m.Metadata[biz.MetaEventType])
		}
		lengths = append(lengths, n)
	}
	s.equal("what the recalled one has", lengths[seq-1], 0)
	s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(lengths...)})
	s.wantKept("r", 0, 5)
	s.wantAudios([]biz.AudioID{a, b}, a, b)
	s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(lengths[1:]...)})
	s.wantKept("r", 1, 5)
	s.purge(time.Now(), biz.Retention{}) // recordings are looked at before messages
	s.wantAudios([]biz.AudioID{a, b}, b)
	reactions, err := s.Revisions.Reactions(s.context(), "r", 1, 0, 10)
	s.must(err)
	s.equal("reactions", len(reactions), 0)
	_, err = revisions.Reactions(s.context(), as("u"), biz.ReactionsRequest{Room: "r", Seq: 1})
	s.wantReason(err, "MESSAGE_NOT_FOUND")
}

// testKeepBytesAnew: what a deleted room had is nothing that the one has which is made after it.
func testKeepBytesAnew(s scene) {
	s.join("r", "u")
	s.sized("r", make([]int, 600)...)
	s.purge(time.Now(), biz.Retention{MaxBytes: 1 << 30})
	ended := s.room("r")
	ended.DeletedAt = time.Now()
	s.mustAppend(deed("r", "u", planning(biz.ActPlan{Room: &ended, Event: &biz.Event{Type: biz.EventRoomDeleted}})))
	s.join("r", "u")
	head := s.room("r").HeadSeq
	s.sized("r", 1, 2, 3)
	s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(1, 2, 3)})
	s.wantKept("r", head, head+3)
	s.purge(time.Now(), biz.Retention{MaxBytes: bytesOf(2, 3)})
	s.wantKept("r", head+1, head+3)
}
