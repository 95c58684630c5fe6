package datatest

import (
	"fmt"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// play sends an AUDIO message of user u in room r, whose content is the id of a recording.
func (s scene) play(messages *biz.Messages, id biz.AudioID) {
	s.t.Helper()
	d := text("r", "u", "", string(id))
	d.Type, d.Metadata = biz.TypeAudio, map[string]string{"k": "v"}
	s.send(messages, d)
}

// transcribed ends the one transcript that is due.
func (s scene) transcribed() *biz.Transcript {
	s.t.Helper()
	now := time.Now()
	jobs, err := s.Queue.Claim(s.context(), now, now.Add(time.Minute), 2)
	if err != nil || len(jobs) != 1 {
		s.t.Fatalf("%v, %v", jobs, err)
	}
	job := jobs[0]
	job.Transcript.Status, job.Transcript.Text, job.Transcript.UpdatedAt = biz.TranscriptCompleted, "said", now
	if held, err := s.Queue.Finish(s.context(), job); !held || err != nil {
		s.t.Fatal(held, err)
	}
	if held, err := s.Queue.Settle(s.context(), job); !held || err != nil {
		s.t.Fatal(held, err)
	}
	return &job.Transcript
}

// testTranscribed: a transcript is shown in the messages that play its recording, and in none that names it otherwise.
func testTranscribed(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	a := s.record(1, "r", aTime)
	tr := s.transcribed()
	b := s.record(2, "r", aTime)
	for _, id := range []biz.AudioID{a, b, a, "sound"} {
		s.play(messages, id)
	}
	aside := text("r", "u", "", string(b))
	aside.Type, aside.Metadata = biz.TypeAudio, map[string]string{"before": string(a)}
	s.send(messages, aside)
	s.send(messages, text("r", "u", "", "/audio/"+string(a)))
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 3}))
	for range 2 {
		heard, err := revisions.Transcribed(s.context(), "r", tr)
		if err != nil || heard != 2 {
			s.t.Fatalf("heard in %d, %v", heard, err)
		}
	}
	m, said := s.at(1), string(a)+"|said"
	s.equal("content", string(m.Content), said)
	s.equal("metadata", m.Metadata, map[string]string{"k": "v"})
	s.equal("state", fmt.Sprintf("%+v", *m.State), fmt.Sprintf("%+v", biz.MessageState{Version: 1}))
	s.equal("of another recording", string(s.at(2).Content), string(b))
	s.equal("recalled", len(s.at(3).Content), 0)
	s.equal("of another one that names it", string(s.at(5).Content), string(b))
	s.equal("a text that names it", string(s.at(6).Content), "/audio/"+string(a))
	s.equal("event", string(s.at(8).Content), fmt.Sprintf(`message_edited by  of map[target_seq:1] says %q`, said))
	s.equal("head", s.room("r").HeadSeq, int64(8))
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("event of a recalled one", strings.Contains(string(s.at(8).Content), "said"), false)
	s.wantAudios([]biz.AudioID{a, b}, a, b) // others refer to it still
}

// testTranscribedBefore: a recording that is sent after its transcript has ended is due again.
func testTranscribedBefore(s scene) {
	messages, _ := s.revise()
	s.join("r", "u")
	a := s.record(1, "r", aTime)
	s.transcribed()
	due := func() int {
		jobs, err := s.Queue.Claim(s.context(), time.Now(), time.Now().Add(time.Minute), 9)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, j := range jobs {
			s.equal("status", j.Transcript.Status, biz.TranscriptCompleted)
		}
		return len(jobs)
	}
	s.equal("before", due(), 0)
	s.send(messages, text("r", "u", "", "/audio/"+string(a)))
	s.equal("named by a text", due(), 0)
	s.play(messages, a)
	s.equal("afterwards", due(), 1)
}

// testEditRefers: what an edit refers to is kept with the message, once, and goes when that is recalled; the event that
// tells of the edit keeps nothing.
func testEditRefers(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	a, b := s.record(1, "r", time.Now()), s.record(2, "r", time.Now())
	all := []biz.AudioID{a, b}
	foreign := s.record(3, "elsewhere", time.Now())
	seq := s.send(messages, text("r", "u", "", "/audio/"+string(a))).Seq
	edit := func(content string) {
		s.t.Helper()
		s.revised(revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: seq, Content: []byte(content)}))
	}
	edit(fmt.Sprintf("/audio/%s /audio/%s /audio/%s", a, b, foreign))
	edit("/audio/" + string(b))
	edit("nothing")
	later := time.Now().Add(2 * time.Hour)
	s.purge(later, biz.Retention{Unreferenced: time.Hour})
	all = append(all, foreign)
	s.wantAudios(all, a, b) // the other one is of no room
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: seq}))
	s.wantAudios(all)
}

// recalling takes a message back.
func recalling(seq int64) act {
	return act{needs: biz.ActNeeds{Message: seq}, decide: func(s biz.ActState) (biz.ActPlan, error) {
		if s.Message == nil {
			return biz.ActPlan{}, biz.Errorf(biz.KindNotFound, "MESSAGE_NOT_FOUND", "there is no %d", seq)
		}
		return biz.ActPlan{Event: &biz.Event{Type: biz.EventRecalled}, Edit: &biz.Edit{
			Replace: true, State: biz.MessageState{Version: 1, Recalled: true, RecalledAt: s.Now},
		}}, nil
	}}
}

// testRecallAtOnce: a recall that comes in one commit with its message ends what that refers to.
func testRecallAtOnce(s scene) {
	s.join("r", "u")
	const recordings = 30
	var all []biz.AudioID
	for n := range recordings {
		all = append(all, s.record(n, "r", aTime))
	}
	var outcomes []<-chan outcome
	for n, id := range all {
		d := text("r", "u", "", string(id))
		d.Type = biz.TypeAudio
		outcomes = append(outcomes, s.start(d), s.start(deed("r", "u", recalling(int64(2*n+1)))))
	}
	for _, c := range outcomes {
		s.must((<-c).err)
	}
	s.wantAudios(all)
}
