package biz_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// TestA8RepeatedAtAnotherNode: a repetition that comes to another node while the first is at it waits for its
// answer, and pushes nothing; one that nobody is at any more is unknown.
func TestA8RepeatedAtAnotherNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := newPushScene()
		first.outcomes["openid:alice"], first.ack = biz.OutcomeDelivered, make(chan struct{})
		second := first.restarted()
		second.other = first.sessions
		o := biz.PushOptions{Key: "k", AckWithin: 20 * time.Second}
		var wg sync.WaitGroup
		begun := time.Now()
		push := func(s *pushScene, repeated bool) {
			defer wg.Done()
			got := s.pushes.Push(t.Context(), toAlice, &biz.Push{Title: "p"}, o)
			if got.Outcome != biz.OutcomeDelivered || got.Repeated != repeated || time.Since(begun) < 5*time.Second {
				t.Errorf("%+v after %v", got, time.Since(begun))
			}
		}
		wg.Add(2)
		go push(first, false)
		synctest.Wait()
		go push(second, true)
		time.Sleep(5 * time.Second)
		close(first.ack)
		wg.Wait()
		if len(second.sessions.pushes) != 0 {
			t.Errorf("pushed again: %q", second.sessions.pushes)
		}
		first.keys.records[biz.PushKey{Key: "k"}].Answer = nil // it was killed in the middle
		if got := second.pushes.Push(t.Context(), toAlice, &biz.Push{Title: "p"}, o); got.Outcome != biz.OutcomeUnknown {
			t.Errorf("once the first is gone: %+v", got)
		}
	})
}
