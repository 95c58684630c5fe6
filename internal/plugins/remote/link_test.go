package remote

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
)

// asked returns the calls and cancellations that wait in a link.
func asked(t *testing.T, l *link) (calls []*pluginv1.Call, cancelled []uint64) {
	t.Helper()
	for _, item := range l.out.Take(nil) {
		var f pluginv1.NodeFrame
		if err := proto.Unmarshal(item, &f); err != nil {
			t.Fatal(err)
		}
		calls, cancelled = append(calls, f.GetCalls()...), append(cancelled, f.GetCancelled()...)
	}
	return calls, cancelled
}

// TestDeadlinesAreCarried: a call says how long the node waits, and its end is told.
func TestDeadlinesAreCarried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLink()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := l.ask(ctx, &pluginv1.Call{})
			done <- err
		}()
		synctest.Wait()
		calls, _ := asked(t, l)
		if len(calls) != 1 || calls[0].GetId() != 1 || calls[0].GetTimeoutMs() != 1500 {
			t.Errorf("asked %v", calls)
		}
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, cancelled := asked(t, l); len(cancelled) != 1 || cancelled[0] != 1 {
			t.Errorf("cancelled %v", cancelled)
		}
		answer := &pluginv1.PluginFrame{Answers: []*pluginv1.Answer{{Id: 1}}}
		if err := l.take(answer); err != nil || l.givenUp != 0 {
			t.Errorf("a late answer: %v, %d given up", err, l.givenUp)
		}
		if err := l.take(answer); err == nil {
			t.Error("a second answer passes")
		}
	})
}

// TestSilenceIsNoticed: a plugin that says nothing is given up when a few calls were, and not after hundreds of them. One that is slow, or
// is not asked, is kept.
func TestSilenceIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLink()
		late := func(wait time.Duration) (id uint64) { // asks, and is not answered in time
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			if _, err := l.ask(ctx, &pluginv1.Call{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			return l.last
		}
		for range 3 * silentCalls { // it is slow, and answers after all
			id := late(10 * time.Second)
			if err := l.take(&pluginv1.PluginFrame{Answers: []*pluginv1.Answer{{Id: id}}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour) // nobody asks it
		for range 3 * silentCalls {
			late(time.Second)
		}
		if err := l.failure(); err != nil {
			t.Fatal("lost too soon:", err)
		}
		time.Sleep(silentFor)
		if late(time.Second); l.failure() == nil {
			t.Error("a plugin that says nothing is kept")
		}
	})
}

// TestAnswersInAnyOrder: each comes to who has asked.
func TestAnswersInAnyOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLink()
		got := make([]int32, 4)
		for i := range got {
			go func() {
				a, err := l.ask(t.Context(), &pluginv1.Call{Request: &pluginv1.Call_HandleAction{HandleAction: &pluginv1.Action{Gid: int64(i)}}})
				if err == nil {
					got[i] = a.GetAction().GetCode()
				}
			}()
		}
		synctest.Wait()
		calls, _ := asked(t, l)
		var f pluginv1.PluginFrame
		for _, c := range calls {
			code := int32(100 + c.GetHandleAction().GetGid()) //nolint:gosec // small
			f.Answers = append([]*pluginv1.Answer{{Id: c.GetId(), Outcome: &pluginv1.Answer_Action{Action: &pluginv1.ActionAnswer{Code: code}}}}, f.Answers...)
		}
		if err := l.take(&f); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, code := range got {
			if code != int32(100+i) { //nolint:gosec // small
				t.Errorf("%d got %d", i, code)
			}
		}
	})
}

// FuzzPluginFrame: whatever a plugin sends, the node neither panics nor loses count.
func FuzzPluginFrame(f *testing.F) {
	seed := func(m *pluginv1.PluginFrame) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	seed(&pluginv1.PluginFrame{Description: &pluginv1.Description{Capabilities: []pluginv1.Capability{1, 1, 99, -1}, Actions: []string{"a"}}})
	seed(&pluginv1.PluginFrame{Answers: []*pluginv1.Answer{
		{Id: 1}, {Id: 2, Outcome: &pluginv1.Answer_Error{Error: &pluginv1.Error{Kind: 7, Reason: "x", RetryAfterMs: 1 << 31}}},
		{Id: 3, Outcome: &pluginv1.Answer_Payload{}}, {Id: 3},
	}})
	f.Add([]byte("\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got pluginv1.PluginFrame
		if proto.Unmarshal(data, &got) != nil {
			return
		}
		p := &Plugin{log: slog.New(slog.DiscardHandler)}
		if err := p.settle(got.GetDescription()); err != nil {
			t.Error(err)
		}
		if err := p.settle(got.GetDescription()); err != nil {
			t.Errorf("the same again: %v", err)
		}
		_ = (&refusal{got.GetDescription()}).Error()
		l := newLink()
		answers := map[uint64]chan *pluginv1.Answer{}
		for range 8 {
			c, to := &pluginv1.Call{}, make(chan *pluginv1.Answer, 1)
			if err := l.enter(c, to); err != nil {
				t.Fatal(err)
			}
			answers[c.GetId()] = to
		}
		l.giveUp(5)
		_ = l.take(&got) // whether it is an error is not the question
		waiting, given := 0, 0
		for _, to := range l.waiting {
			waiting++
			if to == nil {
				given++
			}
		}
		came := 0
		for _, to := range answers {
			came += len(to)
		}
		if given != l.givenUp || waiting-given+came != 7 {
			t.Errorf("%d wait, %d given up of %d, %d answered", waiting, given, l.givenUp, came)
		}
		for _, a := range got.GetAnswers() {
			for _, expected := range []bool{true, false} {
				_ = outcome(a, expected) // it must not panic
			}
			_, _, _ = frames.ToIdentity(a.GetIdentity()), frames.ToAnswer(a.GetAction()), frames.ToError(a.GetError())
		}
	})
}
