package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEventOf(t *testing.T) {
	t.Parallel()
	kicked := &imv1.SystemContent{EventType: "member_kicked", EventData: map[string]string{"reason": "spam"}, Member: &imv1.RoomUser{UserId: "eve"}}
	full := &imv1.MessageResponse{
		RoomId: "a", Seq: 9, FromUserId: "bob", Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: encoded(t, kicked),
		Metadata: map[string]string{keyEventType: "member_kicked"}, Timestamp: timestamppb.New(moon), Mentions: []string{"al"},
	}
	e, ok := EventOf(full)
	if !ok || e.Type != EventKicked || e.RoomID != "a" || e.Seq != 9 || e.By != "bob" || !e.Time.Equal(moon) ||
		e.Data["reason"] != "spam" || e.Member.GetUserId() != "eve" || e.Mentions[0] != "al" {
		t.Errorf("got %+v, %v", e, ok)
	}
	for name, change := range map[string]func(*imv1.MessageResponse){
		"a text":                  func(m *imv1.MessageResponse) { m.Type = imv1.MessageType_MESSAGE_TYPE_TEXT },
		"a push":                  func(m *imv1.MessageResponse) { m.RoomId = "" },
		"a service's own":         func(m *imv1.MessageResponse) { m.Metadata = nil },
		"unreadable":              func(m *imv1.MessageResponse) { m.Content = []byte{0xff} },
		"something else inside":   func(m *imv1.MessageResponse) { m.Metadata = map[string]string{keyEventType: "muted"} },
		"JSON of a service's own": func(m *imv1.MessageResponse) { m.Content = []byte(`{"event_type":"member_kicked"}`) },
	} {
		m := proto.CloneOf(full)
		change(m)
		if e, ok := EventOf(m); ok {
			t.Errorf("%s: %+v", name, e)
		}
	}
	full.Content = nil
	if e, ok := EventOf(full); !ok || e.Type != EventKicked || !e.Time.Equal(moon) {
		t.Errorf("without a content: %+v, %v", e, ok)
	}
	if _, ok := EventOf(nil); ok {
		t.Error("nothing is an event")
	}
}

// FuzzTimeline: whatever a server sends, the timeline takes it or leaves it, and has each place once.
func FuzzTimeline(f *testing.F) {
	var l log
	l.say("one")
	l.edit(1, "uno")
	l.recall(1, false)
	for _, m := range l.rows {
		f.Add(encoded(f, m), int64(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, floor int64) {
		var m imv1.MessageResponse
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		var tl Timeline
		tl.Forget(floor)
		for range 2 {
			tl.Apply(&m)
		}
		for _, row := range l.page(0, len(l.rows)) {
			tl.Apply(row)
		}
		last := int64(0)
		for m := range tl.Messages() {
			if m.GetSeq() <= max(last, floor) {
				t.Fatalf("%d after %d, of those above %d", m.GetSeq(), last, floor)
			}
			last = m.GetSeq()
		}
	})
}

// TestEphemeralsAndPresence come to handlers of their own, in their order with messages, and only to clients that
// have one.
func TestEphemeralsAndPresence(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	got := make(chan string, 16)
	cfg.OnMessage = func(m *imv1.MessageResponse) { got <- string(m.GetContent()) }
	cfg.OnEphemeral = func(e *Ephemeral) {
		seq, read := e.ReadSeq()
		got <- fmt.Sprint(e.RoomID, " ", e.UserID, " ", e.Kind, " ", e.Data, " ", seq, read, e.Time.Unix())
	}
	cfg.OnPresence = func(c *imv1.PresenceContent) {
		got <- fmt.Sprint(c.GetUsers()[0].GetUserId(), " ", c.GetUsers()[0].GetState(), " ", c.GetRooms()[0].GetOnlineCount())
	}
	_, ps := p.connect(t, cfg)
	if able := first(ps.md, keyCapabilities); able != "ack,resume,batch,events" {
		t.Errorf("capabilities %q", able)
	}
	told := func(kind imv1.MessageType, content proto.Message) *imv1.MessageResponse {
		return &imv1.MessageResponse{RoomId: "a", FromUserId: "bob", Type: kind, Content: encoded(t, content), Timestamp: timestamppb.New(moon)}
	}
	const fleeting, presence = imv1.MessageType_MESSAGE_TYPE_EPHEMERAL, imv1.MessageType_MESSAGE_TYPE_PRESENCE
	bad := told(fleeting, &imv1.EphemeralContent{})
	bad.Content = []byte{0xff}
	ps.send(t,
		text("a", 1, 1),
		told(fleeting, &imv1.EphemeralContent{Kind: EphemeralTyping, Data: map[string]string{"k": "v"}}),
		bad,
		told(fleeting, &imv1.EphemeralContent{Kind: EphemeralRead, Data: map[string]string{"seq": "41"}}),
		told(fleeting, &imv1.EphemeralContent{Kind: EphemeralRead, Data: map[string]string{"seq": "x"}}),
		told(presence, &imv1.PresenceContent{
			Users: []*imv1.UserPresence{{UserId: "bob", State: imv1.PresenceState_PRESENCE_STATE_AWAY}}, Rooms: []*imv1.RoomPresence{{OnlineCount: 7}},
		}),
		text("a", 2, 2),
	)
	for _, want := range []string{
		"m1", "a bob typing map[k:v] 0 false 1800000000", "a bob read map[seq:41] 41 true 1800000000", "a bob read map[seq:x] 0 false 1800000000",
		"bob PRESENCE_STATE_AWAY 7", "m2",
	} {
		if is := wait(t, got, "a callback"); is != want {
			t.Errorf("got %q, want %q", is, want)
		}
	}
	if _, ok := errors.AsType[*InvalidMessageError](wait(t, ev.errors, "an error")); !ok {
		t.Error("another error than that a message is not valid")
	}
	if link := ps.recvAck(t); link != 2 {
		t.Errorf("acknowledged up to %d", link)
	}

	plain, _ := p.config()
	_, ps = p.connect(t, plain)
	if able := first(ps.md, keyCapabilities); able != "ack,resume,batch" {
		t.Errorf("capabilities of a client without handlers: %q", able)
	}
}

// TestWatchPresence is said again on every connection, since what happens without one is not told later.
func TestWatchPresence(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.OnPresence = func(*imv1.PresenceContent) {}
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	wished := func(ps *peerStream, want string) {
		t.Helper()
		req := ps.recv(t)
		var content imv1.PresenceContent
		if err := proto.Unmarshal(req.GetContent(), &content); err != nil || req.GetType() != imv1.MessageType_MESSAGE_TYPE_PRESENCE {
			t.Fatalf("got %v, %v", req, err)
		}
		if got := fmt.Sprint(content.GetUserIds(), content.GetRoomIds()); got != want {
			t.Errorf("wants to hear of %s, want %s", got, want)
		}
	}
	users := []string{"bob"}
	if err := c.WatchPresence(t.Context(), users, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	users[0] = "nobody"
	wished(ps, "[bob] [a]")

	ps.end(errLost)
	ps = p.next(t).accept(t, "s1", true) // it goes on, but has missed what happened meanwhile
	wished(ps, "[bob] [a]")
	wait(t, ev.connects, "OnConnect")

	ps.end(errLost)
	ps = p.next(t).accept(t, "s2", false)
	wished(ps, "[bob] [a]")
	wait(t, ev.connects, "OnConnect")
	if err := c.WatchPresence(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	wished(ps, "[] []")
}

// TestWatchPresenceOfTooMany is refused here: a server would end every stream on which it is asked again.
func TestWatchPresenceOfTooMany(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	if err := c.WatchPresence(t.Context(), []string{"bob"}, nil); err != nil {
		t.Fatal(err)
	}
	ps.recv(t)
	crowd := slices.Repeat([]string{strings.Repeat("x", 200)}, 30_000)
	if err := c.WatchPresence(t.Context(), crowd, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a crowd: %v", err)
	}
	if err := c.WatchPresence(t.Context(), []string{"\xff"}, nil); err == nil {
		t.Error("what is not UTF-8 was taken")
	}
	ps.end(errLost)
	ps = p.next(t).accept(t, "s2", false)
	var content imv1.PresenceContent
	if err := proto.Unmarshal(ps.recv(t).GetContent(), &content); err != nil || !slices.Equal(content.GetUserIds(), []string{"bob"}) {
		t.Errorf("the next connection is asked for %v, %v", content.GetUserIds(), err)
	}
}

// TestSetAway is said at once, and again on every connection for as long as it is so.
func TestSetAway(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	said := func(ps *peerStream, want string) {
		t.Helper()
		if req := wait(t, ps.in, "a heartbeat"); req.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT || req.GetMetadata()[keyPresence] != want {
			t.Errorf("got %v, want that the user is %s", req, want)
		}
	}
	if err := c.SetAway(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	said(ps, presenceAway)
	ps.end(errLost)
	ps = p.next(t).accept(t, "s2", false)
	said(ps, presenceAway)
	wait(t, ev.connects, "OnConnect")
	if err := c.SetAway(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	said(ps, presenceOnline)
	p.disconnect(t, c)
	if err := c.SetAway(t.Context(), true); !errors.Is(err, ErrNotConnected) {
		t.Errorf("without a connection: %v", err)
	}
}

// TestSendOptions arrive, and a message to a user is in no room of the sender's choice.
func TestSendOptions(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	cfg.DefaultRoomID = "lobby"
	c, ps := p.connect(t, cfg)
	for _, tt := range []struct {
		send func(context.Context) (*SendResult, error)
		want string
		room string
	}{
		{func(ctx context.Context) (*SendResult, error) { return c.SendText(ctx, "a", "hi") }, "a  0 [] 0", "a"},
		{func(ctx context.Context) (*SendResult, error) { return c.SendText(ctx, "", "hi", ReplyTo(7)) }, "lobby  7 [] 0", "lobby"},
		{func(ctx context.Context) (*SendResult, error) {
			return c.SendText(ctx, "a", "hi", Mention("bob"), Mention("eve"), MentionAll(), ExpireAfter(1500*time.Millisecond))
		}, "a  0 [bob eve *] 2", "a"},
		{func(ctx context.Context) (*SendResult, error) {
			return c.SendTextTo(ctx, "bob", "hi", ExpireAfter(time.Minute))
		}, " bob 0 [] 60", "direct"},
	} {
		type outcome struct {
			*SendResult
			error
		}
		done := make(chan outcome, 1)
		go func() {
			result, err := tt.send(t.Context())
			done <- outcome{result, err}
		}()
		req := ps.recv(t)
		got := fmt.Sprint(req.GetRoomId(), " ", req.GetToUserId(), " ", req.GetReplyToSeq(), " ", req.GetMentions(), " ", req.GetExpiresInSeconds())
		if got != tt.want || string(req.GetContent()) != "hi" {
			t.Errorf("sent %q as %v, want %q", got, req, tt.want)
		}
		ack := ackOf(req, 5, 0)
		ack.RoomId = tt.room
		ps.send(t, ack)
		if out := wait(t, done, "the outcome"); out.error != nil || out.RoomID != tt.room || out.Seq != 5 {
			t.Errorf("%s: %v, %v", tt.want, out.SendResult, out.error)
		}
	}
}
