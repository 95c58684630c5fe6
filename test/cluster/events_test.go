package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/test/process"
)

// onlooker is a client of the SDK that notes what it is told of others.
type onlooker struct {
	*client.Client
	user string

	mu   sync.Mutex
	told map[string]bool
}

func (s *scene) look(node int, user string) *onlooker {
	s.t.Helper()
	s.join(node, "room", user)
	o := &onlooker{user: user, told: map[string]bool{}}
	c, err := client.NewClient(&client.Config{
		Services: s.door(node), UserID: user, DefaultRoomID: "room", DeviceID: "sdk", RequestTimeout: patience,
		OnMessage: func(m *imv1.MessageResponse) {
			if e, ok := client.EventOf(m); ok {
				o.note("%s by %s of %d", e.Type, e.By, e.Target)
			}
		},
		OnEphemeral: func(e *client.Ephemeral) { o.note("%s of %s", e.Kind, e.UserID) },
		OnPresence: func(p *imv1.PresenceContent) {
			for _, u := range p.GetUsers() {
				o.note("%s is %s", u.GetUserId(), strings.ToLower(strings.TrimPrefix(u.GetState().String(), "PRESENCE_STATE_")))
			}
		},
	})
	if err == nil {
		o.Client, err = c, c.Connect()
	}
	if err != nil {
		s.t.Fatalf("%s connects: %v", user, err)
	}
	s.t.Cleanup(func() { _ = c.Disconnect() }) // returns nil
	return o
}

func (o *onlooker) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told[fmt.Sprintf(format, args...)] = true
}

// hears waits until the onlooker was told something.
func (o *onlooker) hears(t *testing.T, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	process.Eventually(t, patience, o.user+" is told: "+what, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.told[what]
	})
}

// TestEventsSpanNodes: what happens to messages, and what nobody keeps, is told to people on another node.
func TestEventsSpanNodes(t *testing.T) {
	eachEngine(t, eventsSpanNodes)
}

func eventsSpanNodes(t *testing.T, s *scene) {
	t.Helper()
	a, b := s.look(0, "alice"), s.look(1, "bob")
	for _, pair := range [][2]*onlooker{{a, b}, {b, a}} {
		act(t, pair[0], pair[1])
	}
	for _, o := range []*onlooker{a, b} {
		info, err := o.GetRoomInfo("room")
		if err != nil {
			t.Fatal(err)
		}
		if n := info.GetOnlineCount(); n != 2 {
			t.Errorf("%s's node knows of %d who are online, of 2", o.user, n)
		}
	}
}

// act has one do whatever the other one is told of.
func act(t *testing.T, who, other *onlooker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s %s: %v", who.user, what, err)
		}
	}
	sent, err := who.SendText(ctx, "room", "text")
	must("sends", err)
	_, err = who.EditMessage(ctx, "room", sent.Seq, client.Edit{Content: []byte("other text")})
	must("edits", err)
	other.hears(t, "message_edited by %s of %d", who.user, sent.Seq)
	_, err = who.React(ctx, "room", sent.Seq, "👍")
	must("reacts", err)
	other.hears(t, "reaction_added by %s of %d", who.user, sent.Seq)
	_, err = who.RecallMessage(ctx, "room", sent.Seq, "")
	must("recalls", err)
	other.hears(t, "message_recalled by %s of %d", who.user, sent.Seq)
	must("types", who.Typing(ctx, "room"))
	other.hears(t, "typing of %s", who.user)
	_, err = who.MarkRead(ctx, "room", sent.Seq)
	must("reads", err)
	other.hears(t, "read of %s", who.user)
	must("is watched", other.WatchPresence(ctx, []string{who.user}, nil))
	other.hears(t, "%s is online", who.user)
	must("looks away", who.SetAway(ctx, true))
	other.hears(t, "%s is away", who.user)
	must("looks", who.SetAway(ctx, false))
}
