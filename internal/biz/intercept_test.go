package biz_test

import (
	"context"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// gate is an interceptor whose verdicts are given by hand.
type gate struct {
	asked []*biz.Draft
	check biz.PayloadCheck
	open  func(error)
}

func (g *gate) Intercept(d *biz.Draft, _ biz.Speaker, check biz.PayloadCheck, verdict func(error)) {
	g.asked, g.check, g.open = append(g.asked, d), check, verdict
}

// deed is an act that nobody decides about here.
type deed struct{}

func (deed) Needs() biz.ActNeeds                      { return biz.ActNeeds{} }
func (deed) Decide(biz.ActState) (biz.ActPlan, error) { return biz.ActPlan{}, nil }

// TestInterception: who is asked, after which checks, and what a verdict does.
func TestInterception(t *testing.T) {
	t.Parallel()
	s := newScene()
	g := &gate{}
	m := biz.NewInterceptedMessages(s, s, s.live, biz.MessageRules{MaxContentBytes: maxContent, MaxMetadataBytes: maxMetadata}, g)
	say := func(room biz.RoomID, user biz.UserID, act biz.Act) (reason func() string) {
		outcome := "waits"
		ctx, cancel := context.WithCancel(context.Background())
		m.Send(ctx, biz.Identity{User: user}, &biz.Draft{Act: act, Message: biz.Message{Room: room, Type: biz.TypeText, Content: []byte("hi")}}, func(_ biz.Receipt, err error) {
			if outcome = "sent"; err != nil {
				outcome = biz.AsError(err).Reason
			}
		})
		cancel() // who has sent it is gone, as when a stream ends
		return func() string { return outcome }
	}
	for user, want := range map[biz.UserID]string{"mute": "MUTED", "bob": "NOT_A_MEMBER"} {
		if got := say("r", user, nil)(); got != want {
			t.Errorf("%s: got %s", user, got)
		}
	}
	if got := say("r", "alice", deed{})(); got != "sent" || len(g.asked) != 0 {
		t.Errorf("got %s, and %d were asked about, of what is refused anyway and what is no message", got, len(g.asked))
	}
	for _, room := range []biz.RoomID{"r", "v"} {
		passes := say(room, "alice", nil)
		if passes() != "waits" {
			t.Errorf("%s: got %s before the verdict", room, passes())
		}
		if g.open(nil); passes() != "sent" {
			t.Errorf("%s: got %s", room, passes())
		}
		refused := say(room, "alice", nil)
		if g.open(biz.Errorf(biz.KindPermissionDenied, "NO", "no")); refused() != "NO" {
			t.Errorf("%s: got %s", room, refused())
		}
	}
	if err := g.check(biz.Payload{Content: make([]byte, maxContent+1)}); biz.AsError(err).Reason != "CONTENT_TOO_LARGE" {
		t.Errorf("got %v", err)
	}
	if err := g.check(biz.Payload{Metadata: map[string]string{"k": "\x00"}}); err == nil {
		t.Error("metadata with NUL may be stored")
	}
}

// TestWhoIsMutedMeanwhile does not speak in a room that keeps nothing, where no log looks again.
func TestWhoIsMutedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newScene()
	g := &gate{}
	m := biz.NewInterceptedMessages(s, s, s.live, biz.MessageRules{MaxContentBytes: maxContent}, g)
	var got error
	m.Send(t.Context(), biz.Identity{User: "alice"}, &biz.Draft{Message: biz.Message{Room: "v", Type: biz.TypeText}}, func(_ biz.Receipt, err error) { got = err })
	s.members["v"][0].Muted = true
	if g.open(nil); biz.AsError(got).Reason != "MUTED" {
		t.Errorf("got %v", got)
	}
}
