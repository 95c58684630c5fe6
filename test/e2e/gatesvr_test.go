package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// mailTo pushes a text to a target, which must be taken.
func mailTo(t *testing.T, g gatewayv1.GatewayServiceClient, kind, id, data string) {
	t.Helper()
	r, err := g.PushToClient(within(t), &gatewayv1.UnicastPushRequest{TargetType: kind, TargetId: id, MsgType: "mail", Title: "t", Data: []byte(data)})
	if err != nil || !r.GetSuccess() {
		t.Fatalf("a push to %s %s: %v, %v", kind, id, r, err)
	}
}

const mailed = "[mail] t" // what the message of such a push says

// TestGatesvrClient: the published client of the old gateway logs in, is answered, and gets pushes to
// all three kinds of target, also one from before its login.
func TestGatesvrClient(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := Start(t, "", "-quic", addr)
	pushes := n.Pushes()
	g := dialGatesvr(t, addr, nil)
	session := g.started(g.start("10001"))
	mailTo(t, pushes, "session", session, "early")
	g.refused(g.business("echo", "too early"), 401)
	g.answered(g.business("hello", ""), "welcome, 10001", "")
	g.answered(0, mailed, "early")
	g.answered(g.business("echo", "x"), "success", "Echo: x")
	g.seq++ // a number is left out, and nothing comes of it
	g.refused(g.business("echo", "y"), 400)
	g.seq -= 2
	g.answered(g.business("echo", "y"), "success", "Echo: y")

	id := g.ask(askBeat, 0, wire(nil).num(1, 1234))
	if f := g.next(); f.kind != toldBeat || f.msgID != uint64(id) || f.payload.nums[1] != 1234 || f.payload.nums[2] == 0 {
		t.Errorf("heartbeat: %+v", f)
	}
	for _, target := range [][2]string{{"openid", "10001"}, {"session", session}, {"gid", "10001"}} {
		mailTo(t, pushes, target[0], target[1], "by "+target[0])
		g.answered(0, mailed, "by "+target[0])
	}
	g.answered(g.business("hello", ""), "already logged in", "")
	g.answered(g.business("echo", "z"), "success", "Echo: z")
}

// TestGatesvrClientComesBack: what the client has not acknowledged when its connection is lost comes
// again, in order and with its old numbers; then what was pushed meanwhile; and its session goes on
// without a login, with the numbers that it has.
func TestGatesvrClientComesBack(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := Start(t, "", "-quic", addr)
	pushes := n.Pushes()
	g := dialGatesvr(t, addr, nil)
	session := g.started(g.start("10001"))
	g.answered(g.business("hello", ""), "welcome, 10001", "")
	have := g.last
	g.quiet = true
	for i := range 3 {
		mailTo(t, pushes, "openid", "10001", fmt.Sprint("unacknowledged ", i))
		g.answered(0, mailed, fmt.Sprint("unacknowledged ", i))
	}
	g.disconnect()
	n.eventually("the connection is seen to be lost", func() bool { return n.Metric("hermod_sessions", `state="detached"`) == 1 })
	for _, target := range [][2]string{{"openid", "10001"}, {"session", session}, {"gid", "10001"}} {
		mailTo(t, pushes, target[0], target[1], "away, by "+target[0])
	}

	g.last = have
	back := dialGatesvr(t, addr, g)
	id := back.start("10001")
	for i := range 3 { // next checks their numbers
		back.answered(0, mailed, fmt.Sprint("unacknowledged ", i))
	}
	for _, kind := range []string{"openid", "session", "gid"} {
		back.answered(0, mailed, "away, by "+kind)
	}
	if again := back.started(id); again != session {
		t.Errorf("back on session %s, was %s", again, session)
	}
	back.answered(back.business("echo", "on"), "success", "Echo: on")
	back.answered(back.business("hello", ""), "already logged in", "")
	mailTo(t, pushes, "session", session, "live")
	back.answered(0, mailed, "live")
}

// TestGatesvrStartNumberings: the client's code and its .proto file number START differently, and a
// session begins and goes on with either.
func TestGatesvrStartNumberings(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := Start(t, "", "-quic", addr)
	pushes := n.Pushes()
	numberings := map[string]func(*gatesvr, string) uint32{
		"generated": (*gatesvr).start,
		"written":   (*gatesvr).startAsWritten,
	}
	openid := 10001
	for first, begin := range numberings {
		for second, again := range numberings {
			openid++
			user := fmt.Sprint(openid)
			t.Run(first+", then "+second, func(t *testing.T) {
				g := dialGatesvr(t, addr, nil)
				session := g.started(begin(g, user))
				g.answered(g.business("login", ""), "welcome, "+user, "")
				mailTo(t, pushes, "openid", user, "first") // its inbox was read, behind which pushes wait, but no answers
				g.answered(0, mailed, "first")
				g.disconnect()
				mailTo(t, pushes, "openid", user, "missed")
				back := dialGatesvr(t, addr, g)
				id := again(back, user)
				back.answered(0, mailed, "missed")
				if s := back.started(id); s != session {
					t.Errorf("back on session %s, was %s", s, session)
				}
			})
		}
	}
}

// TestGatesvrStop: STOP ends a session at once and without an answer.
func TestGatesvrStop(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := Start(t, "", "-quic", addr)
	g := dialGatesvr(t, addr, nil)
	session := g.started(g.start("10001"))
	g.answered(g.business("hello", ""), "welcome, 10001", "")
	const userLogout = 1
	g.ask(askStop, 0, wire(nil).num(1, userLogout))
	if f, err := g.read(); err == nil {
		t.Errorf("STOP was answered with %+v", f)
	}
	for kind, code := range map[string]string{"session": "TARGET_NOT_FOUND", "openid": "TARGET_OFFLINE", "gid": "TARGET_OFFLINE"} {
		target := session
		if kind != "session" {
			target = "10001"
		}
		if r := tell(t, n.Pushes(), kind, target, "late"); r.GetSuccess() || r.GetErrorCode() != code {
			t.Errorf("a push to %s after STOP: %v", kind, r)
		}
	}
	if n.Metric("hermod_sessions") != 0 {
		t.Error("there is a session still")
	}
}

// TestGatesvrFrameLimit: a frame of 1 MiB is taken, one byte more closes the connection; the session
// waits for its client.
func TestGatesvrFrameLimit(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	addr := freeAddr(t)
	Start(t, "session: {queue_bytes: 4MiB}", "-quic", addr)
	g := dialGatesvr(t, addr, nil)
	session := g.started(g.start("10001"))
	g.answered(g.business("hello", ""), "welcome, 10001", "")

	// The frame's other fields take some bytes, which are not of the data.
	echo := func(size int) wire {
		g.msgID++
		frame := func(data int) wire {
			ask := wire(nil).text(1, "echo").data(3, bytes.Repeat([]byte{'x'}, data))
			return wire(nil).num(1, uint64(g.msgID)).num(2, g.seq+1).num(3, askBusiness).data(4, ask)
		}
		return frame(size - (len(frame(size)) - size))
	}
	largest := echo(limit)
	if len(largest) != limit {
		t.Fatalf("made a frame of %d bytes", len(largest))
	}
	g.seq++
	g.write(largest)
	if f := g.next(); f.kind != toldData || f.msgID != uint64(g.msgID) || f.payload.nums[1] != 200 {
		t.Fatalf("a frame of %d bytes was answered with kind %d", limit, f.kind)
	}
	tooLong := echo(limit + 1)
	// The node may hang up before it has read all of it, so that the write fails.
	_, _ = g.stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(tooLong))), tooLong...))
	if f, err := g.read(); err == nil {
		t.Errorf("a frame of %d bytes was answered with %+v", limit+1, f)
	}
	back := dialGatesvr(t, addr, g)
	if again := back.started(back.start("10001")); again != session {
		t.Errorf("back on session %s, was %s", again, session)
	}
}
