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
	"limit": func(s scene) {
		seqs := s.storeMany("u", 3)
		err := s.Inbox.Store(s.context(), "u", &biz.Push{}, time.Now().Add(time.Hour), 3)
		s.wantKind(err, biz.KindResourceLimit)
		s.Inbox.Ack("u", seqs[0])
		s.storeMany("u", 1)
	},
	"limit for many at once": func(s scene) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				err := s.Inbox.Store(s.context(), "u", &biz.Push{ID: fmt.Sprint(i)}, time.Now().Add(time.Hour), 7)
				if err != nil && biz.KindOf(err) != biz.KindResourceLimit {
					s.t.Error(err)
				}
			})
		}
		wg.Wait()
		s.equal("kept", len(s.kept("u", 0)), 7)
	},
}

func (s scene) store(user biz.UserID, p *biz.Push, life time.Duration) {
	s.t.Helper()
	if err := s.Inbox.Store(s.context(), user, p, time.Now().Add(life), 100); err != nil {
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
