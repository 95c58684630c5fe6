package client

import (
	"context"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
)

// TestRoomsAreJoinedAgainWhenTheFirstConnectionOfASessionIsLost: the session is resumed, and follows
// none of the rooms yet.
func TestRoomsAreJoinedAgainWhenTheFirstConnectionOfASessionIsLost(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	c.joined.add("slow", nil)
	ps.end(errLost)
	for _, resumed := range []bool{false, true} { // a session, and its resumption, whose connections are lost while they join
		ps = p.next(t).accept(t, "s2", resumed)
		if room := wait(t, p.joins, "JoinRoom").GetRoomId(); room != "slow" {
			t.Errorf("joined %q", room)
		}
		ps.end(errLost)
	}
	c.joined.remove("slow")
	c.joined.add("quick", nil)
	ps = p.next(t).accept(t, "s2", true)
	if room := wait(t, p.joins, "JoinRoom").GetRoomId(); room != "quick" {
		t.Errorf("joined %q", room)
	}
	for deadline := time.Now().Add(patience); !c.session.follows(c.session.current()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the session is not known to follow the rooms")
		}
	}
	ps.end(errLost)
	p.next(t).accept(t, "s2", true).send(t, text("a", 1, 1))
	ev.next(t) // comes after what a rejoin would do
	select {
	case req := <-p.joins:
		t.Errorf("joined %q once more", req.GetRoomId())
	default:
	}
}

func TestJoinedRoomsAreJoinedAgain(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	for _, room := range []string{"kept", "left"} {
		if _, err := c.JoinRoom(room, map[string]string{"nickname": "Al"}); err != nil {
			t.Fatal(err)
		}
		wait(t, p.joins, "a join")
	}
	resp, err := c.JoinRoom("full", nil)
	if Reason(err) != "ROOM_FULL" || resp.GetStatus().GetCode() != 1 {
		t.Errorf("join of a full room: %v, %v", resp, err)
	}
	wait(t, p.joins, "a join")
	if _, err := c.LeaveRoom("left"); err != nil {
		t.Fatal(err)
	}

	ps.end(errLost)
	ps = p.next(t).accept(t, "s1", true)
	wait(t, ev.connects, "OnConnect")
	if len(p.joins) > 0 {
		t.Error("a resumed session knows its rooms")
	}
	ps.end(errLost)
	p.next(t).accept(t, "s2", false)
	wait(t, ev.connects, "OnConnect")
	if len(p.joins) != 1 {
		t.Fatalf("%d joins before OnConnect, want 1", len(p.joins))
	}
	if req := <-p.joins; req.GetRoomId() != "kept" || req.GetMetadata()["nickname"] != "Al" || req.GetUserId() != "alice" {
		t.Errorf("joined again: %v", req)
	}
}

// TestRoomsThatAreLeftMeanwhileAreNotJoinedAgain: a room that is left while the rooms are joined again stays left, whether its turn
// is still to come or has come.
func TestRoomsThatAreLeftMeanwhileAreNotJoinedAgain(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	joining, proceed := make(chan string, 2), make(chan struct{})
	members := make(chan string, 16) // "+room" and "-room", as the server has done it
	p.onCall(func(_ string, req proto.Message) (proto.Message, error) {
		switch req := req.(type) {
		case *imv1.JoinRoomRequest:
			joining <- req.GetRoomId()
			<-proceed
			members <- "+" + req.GetRoomId()
			return &imv1.JoinRoomResponse{Status: &imv1.ResponseStatus{}}, nil
		case *imv1.LeaveRoomRequest:
			members <- "-" + req.GetRoomId()
		}
		return nil, nil
	})
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	c.joined.add("a", nil)
	c.joined.add("b", nil)
	ps.end(errLost)
	p.next(t).accept(t, "s2", false)
	now := wait(t, joining, "the first room")
	later := map[string]string{"a": "b", "b": "a"}[now]

	left := make(chan error, 1)
	go func() {
		_, err := c.LeaveRoom(now)
		left <- err
	}()
	if _, err := c.LeaveRoom(later); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	if err := wait(t, left, "LeaveRoom"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return c.session.follows(c.session.current()) })
	is := map[string]bool{}
	for len(members) > 0 {
		m := <-members
		is[m[1:]] = m[0] == '+'
	}
	if is["a"] || is["b"] {
		t.Errorf("after %q was left while %q was joined again: the user is a member of %v", later, now, is)
	}
}

// TestLeavingEndsInTime although the rooms are being joined again.
func TestLeavingEndsInTime(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	c.joined.add("slow", nil)
	ps.end(errLost)
	p.next(t).accept(t, "s2", false)
	wait(t, p.joins, "a join")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.LeaveRoomContext(ctx, "slow"); err == nil && ctx.Err() != nil {
		t.Error("no error although its time was over")
	}
}
