package datatest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// audioID is one as nodes make it.
func audioID(n int) biz.AudioID { return biz.AudioID(fmt.Sprintf("019ab000-0000-7000-8000-%012x", n)) }

var upkeepSuite = map[string]func(scene){
	"a waveform comes later": func(s scene) {
		want := recording(audioID(1))
		s.addAudio(want, false)
		want.Waveform = "\xff\x00\x07"
		s.must(s.Upkeep.SetWaveform(s.context(), want.ID, want.Waveform))
		s.equal("audio", s.audio(want.ID), want)
		s.must(s.Upkeep.SetWaveform(s.context(), audioID(2), want.Waveform)) // there is none any more
	},
	"missing": func(s scene) {
		s.addAudio(recording(audioID(1)), false)
		got, err := s.Upkeep.Missing(s.context(), []biz.AudioID{audioID(2), audioID(1), audioID(3)})
		s.must(err)
		s.equal("missing", fmt.Sprint(got), fmt.Sprint([]biz.AudioID{audioID(2), audioID(3)}))
	},
	"a recording stays while a message refers to it":    testReferred,
	"a recording that nobody refers to goes":            testUnreferred,
	"what is released goes when nothing else refers":    testReleased,
	"a recording goes with its room's messages":         testReferredByAge,
	"who is not of the room does not keep it":           testForeignReference,
	"waste is there until it is cleared":                testWaste,
	"a repeated message refers once":                    testRepeatedReference,
	"what is referred to meanwhile stays":               testReferredMeanwhile,
	"a recording of a room that is not there goes":      testRecordingOfNoRoom,
	"many references in one commit, and to none at all": testManyReferences,
}

// record adds a recording to a room, as of some moment.
func (s scene) record(n int, room biz.RoomID, at time.Time) biz.AudioID {
	s.t.Helper()
	a := recording(audioID(n))
	a.Room, a.CreatedAt = room, at
	s.addAudio(a, true)
	return a.ID
}

// refer sends an AUDIO message that refers to recordings.
func (s scene) refer(room biz.RoomID, ids ...biz.AudioID) biz.Receipt {
	s.t.Helper()
	d := text(room, "u", "", fmt.Sprint(ids))
	d.Type = biz.TypeAudio
	return s.mustAppend(d)
}

// wantAudios fails unless just those of some recordings are there, and the others are waste.
func (s scene) wantAudios(all []biz.AudioID, there ...biz.AudioID) {
	s.t.Helper()
	for _, id := range all {
		_, err := s.Audios.Audio(s.context(), id)
		_, transcript := s.Transcripts.Transcript(s.context(), id)
		if want := slices.Contains(there, id); (err == nil) != want || (transcript == nil) != want {
			s.t.Errorf("recording %s: %v, its transcript: %v", id, err, transcript)
		}
	}
	waste, err := s.Upkeep.Waste(s.context(), 1000)
	s.must(err)
	s.equal("waste", len(waste), len(all)-len(there))
}

func testReferred(s scene) {
	s.joinFor("r", 0)
	old := time.Now().Add(-48 * time.Hour)
	a, b := s.record(1, "r", old), s.record(2, "r", old)
	s.refer("r", a, b)
	s.refer("r", b)
	s.purge(time.Now(), biz.Retention{Unreferenced: time.Hour})
	s.wantAudios([]biz.AudioID{a, b}, a, b)
	// What the log keeps is what counts, not how old they are.
	s.purge(time.Now(), biz.Retention{MaxMessages: 1})
	s.purge(time.Now(), biz.Retention{})
	s.wantAudios([]biz.AudioID{a, b}, b)
}

func testUnreferred(s scene) {
	s.joinFor("r", 0)
	now := time.Now()
	old, fresh := s.record(1, "r", now.Add(-2*time.Hour)), s.record(2, "r", now)
	all := []biz.AudioID{old, fresh}
	s.purge(now, biz.Retention{})
	s.wantAudios(all, all...)
	s.purge(now, biz.Retention{Unreferenced: time.Hour})
	s.wantAudios(all, fresh)
	s.purge(now, biz.Retention{Unreferenced: time.Hour})
	s.wantAudios(all, fresh)
}

func testReleased(s scene) {
	s.joinFor("r", 0)
	a, b := s.record(1, "r", aTime), s.record(2, "r", aTime)
	both, again := s.refer("r", a, b), s.refer("r", b)
	all := []biz.AudioID{a, b}
	for range 2 { // it may be told twice
		s.must(s.Upkeep.Release(s.context(), "r", both.Seq))
		s.wantAudios(all, b)
	}
	s.must(s.Upkeep.Release(s.context(), "r", again.Seq+100))
	s.must(s.Upkeep.Release(s.context(), "nowhere", again.Seq))
	s.wantAudios(all, b)
	s.must(s.Upkeep.Release(s.context(), "r", again.Seq))
	s.wantAudios(all)
}

func testReferredByAge(s scene) {
	s.joinFor("brief", time.Hour)
	a := s.record(1, "brief", time.Now())
	said := s.refer("brief", a)
	s.purge(said.Time.Add(30*time.Minute), biz.Retention{})
	s.wantAudios([]biz.AudioID{a}, a)
	for range 2 { // one sweep deletes the message, the next what it referred to
		s.purge(said.Time.Add(2*time.Hour), biz.Retention{})
	}
	s.wantAudios([]biz.AudioID{a})
}

func testForeignReference(s scene) {
	s.joinFor("r", 0)
	s.joinFor("other", 0)
	a := s.record(1, "r", aTime)
	s.refer("other", a)
	s.purge(time.Now(), biz.Retention{Unreferenced: time.Hour})
	s.wantAudios([]biz.AudioID{a})
}

func testWaste(s scene) {
	s.joinFor("r", 0)
	for n := range 5 {
		s.record(n, "r", aTime)
	}
	s.purge(time.Now(), biz.Retention{Unreferenced: time.Hour})
	first, err := s.Upkeep.Waste(s.context(), 3)
	s.must(err)
	s.equal("waste", fmt.Sprint(first), fmt.Sprint([]biz.AudioID{audioID(0), audioID(1), audioID(2)}))
	s.must(s.Upkeep.Cleared(s.context(), first))
	s.must(s.Upkeep.Cleared(s.context(), first))
	rest, err := s.Upkeep.Waste(s.context(), 3)
	s.must(err)
	s.equal("the rest", fmt.Sprint(rest), fmt.Sprint([]biz.AudioID{audioID(3), audioID(4)}))
}

func testRepeatedReference(s scene) {
	s.joinFor("r", 0)
	a := s.record(1, "r", aTime)
	d := text("r", "u", "id", string(a))
	d.Type = biz.TypeAudio
	first := s.mustAppend(d)
	again := text("r", "u", "id", string(a))
	again.Type = biz.TypeAudio
	s.equal("duplicate", s.mustAppend(again).Duplicate, true)
	s.must(s.Upkeep.Release(s.context(), "r", first.Seq))
	s.wantAudios([]biz.AudioID{a})
}

// testReferredMeanwhile: at any moment a recording that a stored message refers to is there, or it was gone before.
func testReferredMeanwhile(s scene) {
	s.joinFor("r", 0)
	const recordings = 40
	var all []biz.AudioID
	for n := range recordings {
		all = append(all, s.record(n, "r", aTime))
	}
	var sending sync.WaitGroup
	for _, id := range all {
		sending.Go(func() { s.refer("r", id) })
	}
	s.purge(time.Now(), biz.Retention{Unreferenced: time.Hour})
	sending.Wait()
	s.purge(time.Now(), biz.Retention{Unreferenced: time.Hour})
	var there []biz.AudioID
	for _, id := range all {
		if _, err := s.Audios.Audio(s.context(), id); err == nil {
			there = append(there, id)
		}
	}
	s.wantAudios(all, there...)
	s.purge(time.Now(), biz.Retention{Unreferenced: time.Hour})
	s.wantAudios(all, there...)
}

func testRecordingOfNoRoom(s scene) {
	a := s.record(1, "nowhere", time.Now())
	s.purge(time.Now(), biz.Retention{})
	s.wantAudios([]biz.AudioID{a})
}

func testManyReferences(s scene) {
	s.joinFor("r", 0)
	const recordings = 300
	var all []biz.AudioID
	for n := range recordings {
		all = append(all, s.record(n, "r", aTime))
	}
	var answered sync.WaitGroup
	for n := range recordings {
		answered.Add(1)
		d := text("r", "u", "", fmt.Sprint(all[n], " ", audioID(n+recordings))) // the second is nowhere
		d.Type = biz.TypeAudio
		s.Log.Append(d, func(_ biz.Receipt, err error) {
			if err != nil {
				s.t.Error(err)
			}
			answered.Done()
		})
	}
	answered.Wait()
	s.purge(time.Now(), biz.Retention{Unreferenced: time.Hour})
	s.wantAudios(all, all...)
}
