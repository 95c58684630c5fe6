package session_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// fullLog always has one more entry, up to the number of pages that a test finds too many.
type fullLog struct{ pages atomic.Int64 }

const tooMany = 100

func (l *fullLog) Page(ctx context.Context, after int64, _ int) ([]session.Entry, error) {
	if l.pages.Add(1) > tooMany {
		<-ctx.Done()
		return nil, errors.New("the test is over")
	}
	return []session.Entry{{Seq: after + 1, Frame: frame.New("x")}}, nil
}

func (l *fullLog) Received(int64) {}

// channel is a session.Channel that is always at its head.
type channel struct{}

func (channel) TryLive(sub *session.Subscription) bool {
	_, live := sub.Live(0)
	return live
}

// TestAForgottenSubscriptionIsNotReadFor takes a subscription away before it was started, as
// happens when a user leaves a room while one of his streams opens: nobody reads the log for it.
func TestAForgottenSubscriptionIsNotReadFor(t *testing.T) {
	for name, order := range map[string]func(s *session.Session, sub *session.Subscription){
		"removed before it starts": func(s *session.Session, sub *session.Subscription) { s.Remove("room"); s.Start(sub) },
		"a late publication": func(s *session.Session, sub *session.Subscription) {
			s.Remove("room")
			s.Deliver(sub, []session.Delivery{{Publication: &frame.Publication{Channel: "room", Seq: 5, Frame: frame.New("5")}}})
			s.Start(sub)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core := session.NewCore(session.Config{QueueBytes: 1 << 20, StallTimeout: time.Minute}, slog.New(slog.DiscardHandler))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- core.Catcher.Run(ctx) }()

				s := session.New(core, session.Options{ID: "1", User: "alice", Format: transporttest.Text}, transporttest.NewConn(), time.Time{})
				log := &fullLog{}
				sub := session.NewSubscription(s, "room", channel{}, log, 0)
				if !s.Add(sub) {
					t.Fatal("not added")
				}
				order(s, sub)
				synctest.Wait()
				if n := log.pages.Load(); n > 1 {
					t.Errorf("the log was read %d times for a subscription that is over", n)
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
