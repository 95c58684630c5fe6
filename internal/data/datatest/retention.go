package datatest

import (
	"fmt"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var retentionSuite = map[string]func(scene){
	"by a room's ttl":                 testKeepTTL,
	"by age":                          testKeepAge,
	"by number":                       testKeepNumber,
	"by bytes":                        testKeepBytes,
	"by bytes, of many messages":      testKeepManyBytes,
	"by bytes, the newest stays":      testKeepNewest,
	"by bytes, what goes with them":   testKeepBytesBeside,
	"by bytes, in a room made anew":   testKeepBytesAnew,
	"for ever":                        testKeepForEver,
	"more rooms than one query":       testKeepManyRooms,
	"a repeat of what is gone":        testKeepRepeat,
	"recordings":                      testKeepRecordings,
	"while everybody sends and reads": testKeepMeanwhile,
}

// joinFor makes a room that keeps messages for ttl.
func (s scene) joinFor(room biz.RoomID, ttl time.Duration) {
	s.t.Helper()
	_, err := s.Members.Join(s.context(), room, "u", func(biz.JoinState) (biz.JoinPlan, error) {
		c := biz.DefaultRoomConfig()
		c.MessageTTL = ttl
		return biz.JoinPlan{
			Create: &biz.Room{ID: room, Config: c, CreatedAt: aTime, LastActive: aTime},
			Member: biz.Member{Room: room, User: "u", JoinedAt: aTime},
		}, nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

func (s scene) purge(now time.Time, keep biz.Retention) {
	s.t.Helper()
	if err := s.Purge(s.context(), now, keep); err != nil {
		s.t.Fatal(err)
	}
}

// fill stores messages and returns when the last of them was.
func (s scene) fill(room biz.RoomID, count int) (last time.Time) {
	s.t.Helper()
	for range count {
		last = s.mustAppend(text(room, "u", "", "x")).Time
	}
	return last
}

// wantKept fails unless the room has the messages above floor up to head, and nothing else, everywhere.
func (s scene) wantKept(room biz.RoomID, floor, head int64) {
	s.t.Helper()
	stored, err := s.Log.Floor(s.context(), room)
	if err != nil || stored != floor {
		s.t.Fatalf("room %s: floor %d, %v; want %d", room, stored, err, floor)
	}
	info := s.room(room)
	if info.FloorSeq != floor || info.HeadSeq != head {
		s.t.Fatalf("room %s: floor %d and head %d, want %d and %d", room, info.FloorSeq, info.HeadSeq, floor, head)
	}
	next := floor + 1
	for page := s.page(room, 0, 100); len(page) > 0; page = s.page(room, next-1, 100) {
		for _, m := range page {
			if m.Seq != next {
				s.t.Fatalf("room %s: seq %d where %d is next", room, m.Seq, next)
			}
			next++
		}
	}
	s.equal("the last message", next-1, head)
}

func testKeepTTL(s scene) {
	s.joinFor("brief", time.Hour)
	s.joinFor("long", 2*time.Hour)
	s.fill("brief", 3)
	last := s.fill("long", 3)
	s.purge(last.Add(time.Minute), biz.Retention{})
	s.wantKept("brief", 0, 3)
	s.purge(last.Add(time.Hour+time.Second), biz.Retention{})
	s.wantKept("brief", 3, 3)
	s.wantKept("long", 0, 3)
	s.equal("the next message's place", s.mustAppend(text("brief", "u", "", "x")).Seq, int64(4))
	s.wantKept("brief", 3, 4)
	s.purge(last.Add(3*time.Hour), biz.Retention{})
	s.wantKept("brief", 4, 4)
	s.wantKept("long", 3, 3)
}

func testKeepAge(s scene) {
	s.joinFor("own", time.Minute)
	s.joinFor("longer", time.Hour)
	s.joinFor("unlimited", 0)
	s.fill("own", 2)
	s.fill("longer", 2)
	last := s.fill("unlimited", 2)
	keep := biz.Retention{MaxAge: 10 * time.Minute}
	s.purge(last.Add(5*time.Minute), keep)
	s.wantKept("own", 2, 2)
	s.wantKept("longer", 0, 2)
	s.purge(last.Add(15*time.Minute), keep)
	s.wantKept("longer", 2, 2)
	s.wantKept("unlimited", 2, 2)
}

func testKeepNumber(s scene) {
	s.joinFor("r", 0)
	s.joinFor("small", 0)
	s.joinFor("empty", 0)
	s.fill("r", 12)
	last := s.fill("small", 3)
	keep := biz.Retention{MaxMessages: 5}
	s.purge(last, keep)
	s.wantKept("r", 7, 12)
	s.wantKept("small", 0, 3)
	s.wantKept("empty", 0, 0)
	s.fill("r", 1)
	s.purge(last, keep)
	s.wantKept("r", 8, 13)
	s.purge(last, biz.Retention{MaxMessages: 100})
	s.wantKept("r", 8, 13)
}

func testKeepForEver(s scene) {
	s.joinFor("r", 0)
	last := s.fill("r", 3)
	s.purge(last.Add(100*365*24*time.Hour), biz.Retention{})
	s.wantKept("r", 0, 3)
}

func testKeepManyRooms(s scene) {
	const rooms = 600
	name := func(i int) biz.RoomID { return biz.RoomID(fmt.Sprintf("r%d", i)) }
	var answered sync.WaitGroup
	for i := range rooms { // at the same time: they share their transactions
		answered.Go(func() { s.joinFor(name(i), time.Hour) })
	}
	answered.Wait()
	for i := range rooms {
		answered.Add(1)
		s.Log.Append(text(name(i), "u", "", "x"), func(_ biz.Receipt, err error) {
			if err != nil {
				s.t.Error(err)
			}
			answered.Done()
		})
	}
	answered.Wait()
	s.purge(time.Now().Add(2*time.Hour), biz.Retention{})
	for i := range rooms {
		s.wantKept(name(i), 1, 1)
	}
}

// testKeepRepeat: what was said and is gone is still not said twice.
func testKeepRepeat(s scene) {
	s.joinFor("r", time.Minute)
	first := s.mustAppend(text("r", "u", "id", "x"))
	s.purge(first.Time.Add(time.Hour), biz.Retention{})
	s.wantKept("r", 1, 1)
	want := first
	want.Duplicate = true
	s.equal("receipt", s.mustAppend(text("r", "u", "id", "x")), want)
	s.wantKept("r", 1, 1)
}

func testKeepRecordings(s scene) {
	s.joinFor("brief", time.Hour)
	s.joinFor("long", 0)
	s.joinFor("other", 0)
	for id, room := range map[biz.AudioID]biz.RoomID{"a": "brief", "b": "long", "c": "other"} {
		a := biz.Audio{ID: id, Room: room, User: "u", Format: "opus", CreatedAt: aTime}
		if err := s.Audios.Add(s.context(), a, true); err != nil {
			s.t.Fatal(err)
		}
	}
	want := func(kept ...biz.AudioID) {
		s.t.Helper()
		there := map[biz.AudioID]bool{}
		for _, id := range kept {
			there[id] = true
		}
		for _, id := range []biz.AudioID{"a", "b", "c"} {
			_, err := s.Audios.Audio(s.context(), id)
			_, transcript := s.Transcripts.Transcript(s.context(), id)
			if (err == nil) != there[id] || (transcript == nil) != there[id] {
				s.t.Errorf("recording %s: %v, its transcript: %v", id, err, transcript)
			}
		}
	}
	s.purge(aTime.Add(time.Minute), biz.Retention{})
	want("a", "b", "c")
	s.purge(aTime.Add(2*time.Hour), biz.Retention{})
	want("b", "c")
	s.purge(aTime.Add(2*time.Hour), biz.Retention{MaxMessages: 1})
	want("b", "c")
	s.purge(aTime.Add(2*time.Hour), biz.Retention{MaxAge: 90 * time.Minute})
	want()
}

// testKeepMeanwhile: whoever reads at any moment finds one piece that begins above a floor that he can
// read, and whoever sends gets the next place.
func testKeepMeanwhile(s scene) {
	const rooms, each = 3, 30
	room := func(i int) biz.RoomID { return biz.RoomID(fmt.Sprintf("r%d", i%rooms)) }
	for i := range rooms {
		s.joinFor(room(i), 0)
	}
	var sending, sweeping sync.WaitGroup
	more := make(chan struct{}, 1) // there is something to sweep: nobody sweeps for its own sake
	for i := range rooms {
		sending.Go(func() {
			for n := range each {
				if o := s.append(text(room(i), "u", "", "x")); o.err != nil || o.Seq != int64(n+1) {
					s.t.Errorf("message %d: %+v", n+1, o)
				}
				s.checkPiece(room(i))
				select {
				case more <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 2 { // as two nodes do
		sweeping.Go(func() {
			for range more {
				s.purge(time.Now(), biz.Retention{MaxMessages: 10})
			}
		})
	}
	sending.Wait()
	close(more)
	sweeping.Wait()
	s.purge(time.Now(), biz.Retention{MaxMessages: 10})
	for i := range rooms {
		s.wantKept(room(i), each-10, each)
	}
}

func (s scene) checkPiece(room biz.RoomID) {
	page, err := s.Log.Page(s.context(), room, 0, 1000)
	if err != nil {
		s.t.Error(err)
		return
	}
	floor, err := s.Log.Floor(s.context(), room)
	if err != nil {
		s.t.Error(err)
	}
	for i, m := range page {
		if m.Seq != page[0].Seq+int64(i) {
			s.t.Errorf("room %s: seq %d follows %d", room, m.Seq, page[i-1].Seq)
			return
		}
	}
	if len(page) > 0 && page[0].Seq > floor+1 {
		s.t.Errorf("room %s: the log begins with %d, and the floor that was read afterwards is %d", room, page[0].Seq, floor)
	}
}
