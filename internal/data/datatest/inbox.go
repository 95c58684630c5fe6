package datatest

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var inboxSuite = map[string]func(scene){
	"keeps everything": func(s scene) {
		p := &biz.Push{
			ID: "id", MsgType: "type", Title: "title", Content: "content ✓", Data: []byte{0, 255},
			Metadata: map[string]string{"k": "\"v\""}, Time: aTime,
		}
		s.store("u", p, time.Hour)
		got := s.kept("u", 0)
		if len(got) != 1 || !bytes.Equal(got[0].Data, p.Data) || !got[0].Time.Equal(p.Time) {
			s.t.Fatalf("kept %+v", got)
		}
		if in := time.Until(got[0].Expires); in <= 0 || in > time.Hour {
			s.t.Errorf("it expires in %v", in)
		}
		p.Expires = got[0].Expires
		s.equal("push", *got[0], *p)
		s.equal("other user", len(s.kept("u2", 0)), 0)
	},
	"in order, above a seq": func(s scene) {
		seqs := s.storeMany("u", 5)
		for i, p := range s.kept("u", seqs[1]) {
			s.equal("seq", p.InboxSeq, seqs[i+2])
		}
		s.equal("count", len(s.kept("u", seqs[1])), 3)
	},
	"forgets what was acknowledged, at once": func(s scene) {
		seqs := s.storeMany("u", 4)
		s.storeMany("u2", 1)
		s.Inbox.Ack("u", seqs[2])
		s.Inbox.Ack("u", seqs[0])
		s.equal("left", len(s.kept("u", 0)), 1)
		s.equal("other user", len(s.kept("u2", 0)), 1)
	},
	"no seq twice": func(s scene) {
		last := s.storeMany("u", 3)[2]
		s.Inbox.Ack("u", last)
		if next := s.storeMany("u", 1)[0]; next <= last {
			s.t.Fatalf("seq %d after %d", next, last)
		}
	},
	"expires": func(s scene) {
		s.store("u", &biz.Push{ID: "old", Time: aTime}, -time.Second)
		s.storeMany("u", 1)
		s.equal("left", len(s.kept("u", 0)), 1)
	},
	"made again": func(s scene) {
		first, again := &biz.Push{ID: "id", Time: aTime}, &biz.Push{ID: "id", Time: aTime, Again: true}
		s.store("u", first, time.Hour)
		s.store("u", again, time.Hour)
		s.equal("place", again.InboxSeq, first.InboxSeq)
		s.equal("kept", len(s.kept("u", 0)), 1)
	},
	"limit": func(s scene) {
		seqs := s.storeMany("u", 3)
		s.wantKind(s.tryStore("u", &biz.Push{}, upTo(3)), biz.KindResourceLimit)
		s.Inbox.Ack("u", seqs[0])
		s.storeMany("u", 1)
	},
	"limit in bytes": func(s scene) {
		limits := biz.InboxLimits{Pushes: 100, Bytes: 10}
		for _, size := range []int{6, 4} {
			s.mustStore(&biz.Push{Content: "ü", Data: make([]byte, size-2)}, limits)
		}
		s.wantKind(s.tryStore("u", &biz.Push{Title: "x"}, limits), biz.KindResourceLimit)
		s.mustStore(&biz.Push{}, limits)
		s.wantKind(s.tryStore("u2", &biz.Push{Data: make([]byte, 11)}, limits), biz.KindResourceLimit)
	},
	"limit for many at once": func(s scene) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				err := s.tryStore("u", &biz.Push{ID: fmt.Sprint(i)}, upTo(7))
				if err != nil && biz.KindOf(err) != biz.KindResourceLimit {
					s.t.Error(err)
				}
			})
		}
		wg.Wait()
		s.equal("kept", len(s.kept("u", 0)), 7)
	},
	"drops the oldest": func(s scene) {
		limits := biz.InboxLimits{Pushes: 3, Bytes: 10, DropOldest: true}
		for i := range 5 {
			s.mustStore(&biz.Push{ID: fmt.Sprint(i), Data: []byte("12")}, limits)
		}
		s.equal("kept by number", s.keptIDs("u"), []string{"2", "3", "4"})
		s.mustStore(&biz.Push{ID: "5", Data: make([]byte, 7)}, limits)
		s.equal("kept by bytes", s.keptIDs("u"), []string{"4", "5"})
		s.wantKind(s.tryStore("u", &biz.Push{Data: make([]byte, 11)}, limits), biz.KindResourceLimit)
		s.equal("what can never fit drops nothing", s.keptIDs("u"), []string{"4", "5"})
	},
	"a page is bounded in bytes": func(s scene) {
		const large, pushes = 300 << 10, 4
		for range pushes {
			s.mustStore(&biz.Push{Data: make([]byte, large)}, biz.InboxLimits{Pushes: pushes, Bytes: 1 << 30})
		}
		var after int64
		for n := 0; n < pushes; {
			page := s.kept("u", after)
			if len(page) == 0 || len(page) > 2 {
				s.t.Fatalf("a page of %d pushes of %d bytes", len(page), large)
			}
			after = page[len(page)-1].InboxSeq
			n += len(page)
		}
		s.equal("left", len(s.kept("u", after)), 0)
	},
	"state": func(s scene) {
		s.equal("nobody's", s.state("u"), biz.InboxState{})
		seqs := make([]int64, 3)
		for i := range seqs {
			p := &biz.Push{Data: make([]byte, i+1), Time: aTime.Add(time.Duration(i) * time.Hour)}
			s.store("u", p, time.Hour)
			seqs[i] = p.InboxSeq
		}
		s.store("u", &biz.Push{Data: []byte("x"), Time: aTime}, -time.Second)
		s.Inbox.Ack("u", seqs[0])
		s.equal("state", s.state("u"), biz.InboxState{Pushes: 2, Bytes: 5, Oldest: aTime.Add(time.Hour), Last: seqs[2] + 1})
		s.Inbox.Ack("u", seqs[2])
		s.equal("nothing left", s.state("u"), biz.InboxState{Last: seqs[2] + 1})
	},
}

func upTo(pushes int) biz.InboxLimits { return biz.InboxLimits{Pushes: pushes, Bytes: 1 << 20} }

func (s scene) tryStore(user biz.UserID, p *biz.Push, limits biz.InboxLimits) error {
	return s.Inbox.Store(s.context(), user, p, time.Now().Add(time.Hour), limits)
}

// mustStore keeps a push for u.
func (s scene) mustStore(p *biz.Push, limits biz.InboxLimits) {
	s.t.Helper()
	if err := s.tryStore("u", p, limits); err != nil {
		s.t.Fatal(err)
	}
}

func (s scene) store(user biz.UserID, p *biz.Push, life time.Duration) {
	s.t.Helper()
	if err := s.Inbox.Store(s.context(), user, p, time.Now().Add(life), upTo(100)); err != nil {
		s.t.Fatal(err)
	}
	if p.InboxSeq <= 0 {
		s.t.Fatalf("inbox seq %d", p.InboxSeq)
	}
}

func (s scene) storeMany(user biz.UserID, n int) []int64 {
	s.t.Helper()
	seqs := make([]int64, n)
	for i := range seqs {
		p := &biz.Push{ID: fmt.Sprint(i), Time: aTime}
		s.store(user, p, time.Hour)
		seqs[i] = p.InboxSeq
		if i > 0 && seqs[i] <= seqs[i-1] {
			s.t.Fatalf("seqs %v do not rise", seqs[:i+1])
		}
	}
	return seqs
}

func (s scene) kept(user biz.UserID, after int64) []*biz.Push {
	s.t.Helper()
	page, err := s.Inbox.Page(s.context(), user, after, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

func (s scene) keptIDs(user biz.UserID) (ids []string) {
	s.t.Helper()
	for _, p := range s.kept(user, 0) {
		ids = append(ids, p.ID)
	}
	return ids
}

func (s scene) state(user biz.UserID) biz.InboxState {
	s.t.Helper()
	state, err := s.Inbox.State(s.context(), user)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}
