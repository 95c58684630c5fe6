package datatest

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var pushKeySuite = map[string]func(scene){
	"begins once": func(s scene) {
		k := biz.PushKey{Caller: "mail", Key: "k"}
		r := pushRecord("one")
		s.equal("the first time", s.begin(k, r), (*biz.PushRecord)(nil))
		earlier := s.begin(k, pushRecord("two"))
		if earlier == nil || earlier.Hash != r.Hash || earlier.PushID != r.PushID || !earlier.Time.Equal(r.Time) || earlier.Answer != nil {
			s.t.Fatalf("the second time: %+v, want %+v", earlier, r)
		}
	},
	"keeps the answer": func(s scene) {
		k := biz.PushKey{Key: "k"}
		s.begin(k, pushRecord("one"))
		counts := biz.BroadcastCounts{Sent: 1, Queued: 2, Slow: 3, Skipped: 4, Expired: 5, Total: 21}
		answer := biz.PushAnswer{Broadcast: counts, Results: []biz.PushResult{
			{Outcome: biz.OutcomeDelivered}, {Outcome: biz.OutcomeQueued, Note: "a note ✓"},
			{Outcome: biz.OutcomeOffline, Err: biz.Errorf(biz.KindUnavailable, "TARGET_OFFLINE", "no \"session\"")},
			{Outcome: biz.OutcomeRejected, Err: biz.Errorf(biz.KindInternal, "PUSH_FAILED", "text")},
		}}
		s.PushKeys.Finish(s.context(), k, answer)
		earlier := s.begin(k, pushRecord("one"))
		if earlier == nil || earlier.Answer == nil {
			s.t.Fatalf("%+v", earlier)
		}
		for i, r := range earlier.Answer.Results {
			want := answer.Results[i]
			s.equal("error", fmt.Sprintf("%#v", r.Err), fmt.Sprintf("%#v", want.Err))
			r.Err, want.Err = nil, nil
			s.equal("result", r, want)
		}
		s.equal("counts", earlier.Answer.Broadcast, counts)
		s.equal("results", len(earlier.Answer.Results), 4)
	},
	"tells keys and callers apart": func(s scene) {
		for _, id := range strangeIDs {
			for _, k := range []biz.PushKey{{Key: id}, {Caller: id, Key: "k"}} {
				if earlier := s.begin(k, pushRecord(id)); earlier != nil {
					s.t.Errorf("%+v was taken by %q", k, earlier.PushID)
				}
			}
		}
	},
	"for a day": func(s scene) {
		k := biz.PushKey{Key: "k"}
		old := pushRecord("old")
		s.begin(k, old)
		r := pushRecord("new")
		r.Time = old.Time.Add(biz.PushKeyLife)
		if s.begin(k, r) == nil {
			s.t.Error("forgotten too early")
		}
		r.Time = r.Time.Add(time.Microsecond)
		if earlier := s.begin(k, r); earlier != nil {
			s.t.Errorf("not forgotten: %+v", earlier)
		}
		if earlier := s.begin(k, r); earlier == nil || earlier.PushID != "new" {
			s.t.Errorf("not remembered anew: %+v", earlier)
		}
	},
	"one of many at once": func(s scene) {
		var wg sync.WaitGroup
		var firsts atomic.Int32
		for i := range 20 {
			wg.Go(func() {
				earlier, err := s.PushKeys.Begin(s.context(), biz.PushKey{Key: "k"}, pushRecord(fmt.Sprint(i)))
				switch {
				case err != nil:
					s.t.Error(err)
				case earlier == nil:
					firsts.Add(1)
				}
			})
		}
		wg.Wait()
		s.equal("firsts", firsts.Load(), int32(1))
	},
	"a push that is made again stays in the inbox": func(s scene) {
		p := &biz.Push{ID: "id", Time: aTime}
		s.store("u", p, time.Hour)
		first := p.InboxSeq
		again := &biz.Push{ID: "id", Time: aTime, Again: true}
		s.store("u", again, time.Hour)
		s.equal("seq", again.InboxSeq, first)
		s.equal("kept", len(s.kept("u", 0)), 1)
		other := &biz.Push{ID: "other", Time: aTime, Again: true}
		s.store("u", other, time.Hour)
		s.equal("kept with one that was not there", len(s.kept("u", 0)), 2)
	},
}

func pushRecord(id string) biz.PushRecord {
	return biz.PushRecord{Hash: sha256.Sum256([]byte(id)), PushID: id, Time: aTime}
}

func (s scene) begin(k biz.PushKey, r biz.PushRecord) *biz.PushRecord {
	s.t.Helper()
	earlier, err := s.PushKeys.Begin(s.context(), k, r)
	if err != nil {
		s.t.Fatal(err)
	}
	return earlier
}
