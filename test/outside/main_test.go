package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/nodetest"

	"example.com/outside/socket"
	"example.com/outside/tickets"
)

const (
	secret   = "sixteen bytes, at least"
	patience = 30 * time.Second
)

// node is a node with this module's plugins, and the path of its socket.
type node struct {
	*nodetest.Running
	path string
}

func start(t *testing.T, more string) node {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hermod.sock")
	return node{nodetest.NodeWith(t, fmt.Sprintf(`
plugins:
  - name: socket
    config: {network: unix, address: %q}
  - name: tickets
    config: {secret: %q}
server: {stop: {drain: 100ms}}
%s`, path, secret, more), socket.New(), tickets.New()), path}
}

// person is somebody with a session of im.v1 over the socket.
type person struct {
	*socket.Client
	t       *testing.T
	session map[string]string // what the node has greeted with
	last    uint64
}

// header is what somebody says of himself who has a ticket.
func header(user string) map[string]string {
	return map[string]string{"authorization": "Bearer " + tickets.Issue(secret, user), "user-id": user, "capabilities": "ack,resume"}
}

func (n node) dial(t *testing.T, header map[string]string) *person {
	t.Helper()
	conn, err := net.Dial("unix", n.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c, err := socket.NewClient(conn, socket.Hello{Protocol: plugin.IM, Encoding: plugin.Protobuf, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	return &person{Client: c, t: t}
}

// enter is dial for somebody who is let in.
func (n node) enter(t *testing.T, header map[string]string) *person {
	t.Helper()
	p := n.dial(t, header)
	p.session = p.next(imv1.MessageType_MESSAGE_TYPE_HEARTBEAT).GetMetadata()
	return p
}

// next returns the next message of a type.
func (p *person) next(kind imv1.MessageType) *imv1.MessageResponse {
	p.t.Helper()
	for {
		frame, err := p.Recv()
		if err != nil {
			p.t.Fatal(err)
		}
		m := &imv1.MessageResponse{}
		if err := proto.Unmarshal(frame, m); err != nil {
			p.t.Fatal(err)
		}
		p.last = max(p.last, m.GetLinkSeq())
		if m.GetType() == kind {
			return m
		}
	}
}

func (p *person) say(text string) {
	p.t.Helper()
	frame, err := proto.Marshal(&imv1.MessageRequest{
		RoomId: "lobby", MessageId: text, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text),
	})
	if err := errors.Join(err, p.Send(frame)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) hears(want string) {
	p.t.Helper()
	if m := p.next(imv1.MessageType_MESSAGE_TYPE_TEXT); string(m.GetContent()) != want {
		p.t.Fatalf("heard %q, want %q", m.GetContent(), want)
	}
}

// end is what the node says at the end of a connection.
func (p *person) end() socket.Closed {
	p.t.Helper()
	for {
		_, err := p.Recv()
		var closed socket.Closed
		if errors.As(err, &closed) {
			return closed
		}
		if err != nil {
			p.t.Fatalf("the connection ended without a word: %v", err)
		}
	}
}

// TestTalk: people with tickets talk over the socket, one of them leaves in the middle and gets what he has
// missed, and a node that stops tells everybody to come back.
func TestTalk(t *testing.T) {
	n := start(t, "")
	calls := imv1.NewIMServiceClient(n.Dial(n.IM))
	for _, user := range []string{"alice", "bob"} {
		ctx, cancel := context.WithTimeout(nodetest.As(t.Context(), user, header(user)), patience)
		defer cancel()
		if _, err := calls.JoinRoom(ctx, &imv1.JoinRoomRequest{RoomId: "lobby"}); err != nil {
			t.Fatal(err)
		}
	}
	alice, bob := n.enter(t, header("alice")), n.enter(t, header("bob"))
	alice.say("hello")
	bob.hears("hello")
	bob.Close()
	alice.say("are you there?")
	alice.next(imv1.MessageType_MESSAGE_TYPE_ACK)
	back := header("bob")
	back["session-id"], back["resume-ticket"], back["last-link-seq"] = bob.session["session-id"], bob.session["resume-ticket"], fmt.Sprint(bob.last)
	bob = n.enter(t, back)
	if bob.session["resumed"] != "true" {
		t.Errorf("greeted with %v", bob.session)
	}
	bob.hears("are you there?")
	// The connection that bob has left is counted until the node has ended it.
	for limit := time.Now().Add(patience); !strings.Contains(n.metrics(t), `hermod_connections{listener="socket"} 2`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the metrics do not count the connections")
		}
	}
	go n.Stop()
	if end := bob.end(); end.Code < 3000 || end.Code > 3999 {
		t.Errorf("a node that stops says %v", end)
	}
	n.Stop()
}

func (n node) metrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.Ops+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+nodetest.ServiceToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestRefused: whoever has no ticket, or somebody else's, hears why; and so does whoever says something else
// than hello.
func TestRefused(t *testing.T) {
	n := start(t, "")
	stolen := header("alice")
	stolen["user-id"] = "bob"
	for says, h := range map[string]map[string]string{
		"a ticket is needed":            {"user-id": "alice"},
		"the ticket is not one of ours": {"authorization": "Bearer alice.00", "user-id": "alice"},
		"the ticket is not bob's":       stolen,
	} {
		if end := n.dial(t, h).end(); end.Code != 4002 || !strings.Contains(end.Reason, says) {
			t.Errorf("told %v, want %q", end, says)
		}
	}
	conn, err := net.Dial("unix", n.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, err := socket.NewClient(conn, socket.Hello{Protocol: "smtp"})
	if err != nil {
		t.Fatal(err)
	}
	if end := (&person{Client: c, t: t}).end(); end.Code != 4002 || !strings.Contains(end.Reason, "smtp") {
		t.Errorf("told %v", end)
	}
}

// TestLimits are the node's: it turns away who is one too many, and gives up who says nothing.
func TestLimits(t *testing.T) {
	n := start(t, "overload: {max_connections: 1}\nsession: {start_timeout: 1s}")
	silent, err := net.Dial("unix", n.path)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := &person{Client: socket.Listen(silent), t: t}
	if end := c.end(); end.Code != 3005 {
		t.Errorf("who says nothing is told %v", end)
	}
	var inside *person
	for inside == nil { // the silent one has left by and by
		p := n.dial(t, header("alice"))
		if _, err := p.Recv(); err == nil {
			inside = p
		}
	}
	if end := n.dial(t, header("bob")).end(); end.Code != 3007 || end.RetryAfter <= 0 {
		t.Errorf("who is one too many is told %v, after %v", end, end.RetryAfter)
	}
}
