package im_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// Acquainted implements biz.AcquaintanceRepo.
func (s *store) Acquainted(_ context.Context, user biz.UserID, users []biz.UserID) (found []biz.UserID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range users {
		for _, members := range s.members {
			_, mine := members[user]
			if _, his := members[other]; mine && his {
				found = append(found, other)
				break
			}
		}
	}
	return found, nil
}

// LastSeen implements biz.AcquaintanceRepo: nobody ever was.
func (s *store) LastSeen(context.Context, []biz.UserID) (map[biz.UserID]time.Time, error) {
	return nil, nil //nolint:nilnil // nobody
}

// Seen implements protocol.Seen.
func (s *store) Seen(biz.UserID, time.Time) {}

func withEvents(o im.Opening) im.Opening {
	o.Events = true
	return o
}

func typing(room string, content []byte) *imv1.MessageRequest {
	return &imv1.MessageRequest{MessageId: "mine", RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_EPHEMERAL, Content: content}
}

func typingContent(t *testing.T) []byte {
	return bytesOf(t, &imv1.EphemeralContent{Kind: "typing", Data: map[string]string{"for": "s"}})
}

// ephemerals is what a client was told, besides messages.
func (c *client) ephemerals() (told []string) {
	c.t.Helper()
	for _, m := range c.frames() {
		switch m.GetType() {
		case imv1.MessageType_MESSAGE_TYPE_EPHEMERAL:
			e := &imv1.EphemeralContent{}
			unmarshal(c.t, m.GetContent(), e)
			told = append(told, fmt.Sprintf("%s %s in %s: %v", m.GetFromUserId(), e.GetKind(), m.GetRoomId(), e.GetData()))
			if m.GetSeq() != 0 || m.GetLinkSeq() != 0 || m.GetTimestamp() == nil {
				c.t.Errorf("an ephemeral %v", m)
			}
		case imv1.MessageType_MESSAGE_TYPE_PRESENCE:
			p := &imv1.PresenceContent{}
			unmarshal(c.t, m.GetContent(), p)
			for _, u := range p.GetUsers() {
				told = append(told, fmt.Sprint(u.GetUserId(), " ", strings.ToLower(strings.TrimPrefix(u.GetState().String(), "PRESENCE_STATE_"))))
			}
			for _, r := range p.GetRooms() {
				told = append(told, fmt.Sprint(r.GetOnlineCount(), " in ", r.GetRoomId()))
			}
			if m.GetLinkSeq() != 0 {
				c.t.Errorf("a presence %v", m)
			}
		}
	}
	return told
}

func (c *client) wantTold(want ...string) {
	c.t.Helper()
	if got := c.ephemerals(); fmt.Sprint(got) != fmt.Sprint(want) {
		c.t.Errorf("told %q, want %q", got, want)
	}
}

// TestEphemeralsOnStreams: in rooms that keep messages and in others, in protobuf and JSON, without an answer, and
// not for clients that do not know them.
func TestEphemeralsOnStreams(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		acking := withEvents(as("alice"))
		acking.Ack, acking.Resume = true, true
		alice := b.open(acking)
		bob := withEvents(as("bob"))
		bob.Resume, bob.Rooms = true, true
		hears := b.open(bob)
		old := b.open(as("carol"))
		before, others := len(alice.frames()), len(old.frames())
		alice.send(typing("", typingContent(t)), typing("r", []byte(`{"kind": "typing", "data": {"for": "t"}}`)))
		synctest.Wait()
		if n := len(alice.frames()) - before; n != 0 {
			t.Errorf("she was told %d things", n)
		}
		if n := len(old.frames()) - others; n != 0 {
			t.Errorf("who does not want it got %d", n)
		}
		got := hears.ephemerals()
		if len(got) == 0 || got[len(got)-1] != "alice typing in r: map[for:t]" {
			t.Errorf("told %q", got)
		}
		if _, err := b.rooms.Join(t.Context(), biz.Identity{User: "alice"}, biz.JoinRequest{Room: "volatile"}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.rooms.Join(t.Context(), biz.Identity{User: "bob"}, biz.JoinRequest{Room: "volatile"}); err != nil {
			t.Fatal(err)
		}
		alice.send(typing("volatile", typingContent(t)))
		synctest.Wait()
		if got := hears.ephemerals(); got[len(got)-1] != "alice typing in volatile: map[for:s]" {
			t.Errorf("told %q", got)
		}
	})
}

func TestEphemeralsThatAreRefused(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		bob := b.open(as("bob"))
		for _, step := range []struct {
			m      *imv1.MessageRequest
			reason string
		}{
			{typing("elsewhere", typingContent(t)), "ROOM_NOT_FOUND"},
			{typing("r", []byte("\xff")), "INVALID_ARGUMENT"},
			{typing("r", []byte("{")), "INVALID_ARGUMENT"},
			{typing("r", nil), "INVALID_ARGUMENT"},
			{typing("r", []byte(`{"kind": "read"}`)), "RESERVED_KIND"},
			{&imv1.MessageRequest{MessageId: "mine", Type: imv1.MessageType_MESSAGE_TYPE_PRESENCE, Content: []byte(`{"userIds": ["bob"]}`)}, "NO_EVENTS"},
			{&imv1.MessageRequest{MessageId: "mine", Type: imv1.MessageType_MESSAGE_TYPE_PRESENCE, UserId: "x"}, "FOREIGN_USER"},
			{&imv1.MessageRequest{MessageId: "mine", Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: map[string]string{"presence": "asleep"}}, "INVALID_ARGUMENT"},
		} {
			bob.send(step.m)
			synctest.Wait()
			if got := bob.words(); got[len(got)-1] != "refused mine: "+step.reason {
				t.Errorf("got %q, want %s", got[len(got)-1], step.reason)
			}
		}
		for range 6 {
			bob.send(typing("r", typingContent(t)))
		}
		synctest.Wait()
		if got := bob.words(); got[len(got)-1] != "refused mine: RATE_LIMITED" {
			t.Errorf("got %q", got)
		}
	})
}

// TestPresenceOnStreams: a PRESENCE says whom the client wants to hear of, a heartbeat whether its user looks.
func TestPresenceOnStreams(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		alice := b.open(as("alice"))
		opening := withEvents(as("bob"))
		opening.Resume = true
		bob := b.open(opening)
		watch := func(content *imv1.PresenceContent) {
			bob.send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_PRESENCE, Content: bytesOf(t, content)})
			time.Sleep(time.Second)
		}
		watch(&imv1.PresenceContent{UserIds: []string{"alice", "eve"}})
		bob.wantTold("alice online", "eve unspecified")
		look := func(presence string) {
			alice.send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: map[string]string{"presence": presence}})
			time.Sleep(time.Second)
		}
		look("away")
		look("away")
		look("online")
		close(alice.in)
		time.Sleep(3 * time.Second)
		bob.wantTold("alice online", "eve unspecified", "alice away", "alice online", "alice offline")
		watch(&imv1.PresenceContent{RoomIds: []string{"r"}})
		watch(&imv1.PresenceContent{})
		b.open(as("alice"))
		time.Sleep(time.Minute)
		bob.wantTold("alice online", "eve unspecified", "alice away", "alice online", "alice offline", "alice offline")
	})
}

// TestLiveFramesInJSON: their content is JSON too.
func TestLiveFramesInJSON(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	for name, test := range map[string]struct {
		payload any
		into    proto.Message
		want    string
	}{
		"ephemeral": {
			&biz.Ephemeral{Room: "r", User: "u", Kind: "typing", Data: map[string]string{"k": "v"}, Time: now},
			&imv1.EphemeralContent{}, `{"kind":"typing","data":{"k":"v"}}`,
		},
		"presence": {
			&protocol.News{Users: []biz.UserPresence{{User: "u", State: biz.PresenceAway}}, Counts: []protocol.RoomCount{{Room: "r", Online: 3}}, Time: now},
			&imv1.PresenceContent{}, `{"users":[{"userId":"u","state":"PRESENCE_STATE_AWAY"}],"rooms":[{"roomId":"r","onlineCount":3}]}`,
		},
	} {
		enc, err := frame.New(test.payload).In(im.JSON)
		if err != nil {
			t.Fatal(err)
		}
		m := &imv1.MessageResponse{}
		if err := protojson.Unmarshal(im.JSON.Prefix(nil, 0), m); err == nil {
			t.Fatal("half a message can be read")
		}
		if err := protojson.Unmarshal(append(im.JSON.Prefix(nil, 0), enc.Body()...), m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !json.Valid(m.GetContent()) {
			t.Errorf("%s: the content is %q", name, m.GetContent())
		}
		want := test.into.ProtoReflect().New().Interface()
		if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal(m.GetContent(), test.into); err != nil || !proto.Equal(test.into, want) {
			t.Errorf("%s: %s, %v", name, m.GetContent(), err)
		}
	}
}

// TestASessionThatMovesWantsEvents: on the node to which its client comes as on the one that it left.
func TestASessionThatMovesWantsEvents(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		f.join(t, 0, "r", "bob")
		f.join(t, 0, "r", "alice")
		o := withEvents(im.Opening{Identity: biz.Identity{User: "bob"}, Room: "r", Resume: true})
		first := f.nodes[0].open(o)
		w := <-first.welcome
		first.lose()
		o.Session, o.Ticket, o.Events = w.Session, w.Ticket, false
		next := f.nodes[1].open(o)
		if w := <-next.welcome; !w.Resumed {
			t.Fatal("not resumed")
		}
		time.Sleep(time.Second)
		alice := f.nodes[0].open(as("alice"))
		alice.send(typing("r", typingContent(t)))
		time.Sleep(time.Second)
		next.wantTold("alice typing in r: map[for:s]")
	})
}
