package cluster

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/process"
)

// eachEngine runs a test on two nodes with each of the engines.
func eachEngine(t *testing.T, test func(t *testing.T, s *scene)) {
	t.Helper()
	for _, kind := range []string{"nats", "redis", "embedded"} {
		t.Run(kind, func(t *testing.T) { test(t, open(t, kind, 2)) })
	}
}

// pair is alice on the first node and bob on the second one, members of one room.
func pair(s *scene) (alice, bob *person, said *speeches) {
	s.t.Helper()
	said = newSpeeches()
	s.join(0, "room", late)
	s.join(0, "room", "alice")
	s.join(1, "room", "bob")
	alice, bob = &person{ear: ear{user: "alice", room: "room"}, said: said}, &person{ear: ear{user: "bob", room: "room"}, said: said}
	for i, p := range []*person{alice, bob} {
		if err := p.connect(s.door(i)); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = p.Disconnect() }) // returns nil
	}
	return alice, bob, said
}

// TestRoomSpansNodes: two members on two nodes hear each other at once, in one order; one that was away gets what it has
// missed from the other node.
func TestRoomSpansNodes(t *testing.T) {
	eachEngine(t, roomSpansNodes)
}

func roomSpansNodes(t *testing.T, s *scene) {
	t.Helper()
	alice, bob, said := pair(s)
	for i := range 100 {
		alice.say(fmt.Sprintf("alice says %d", i), patience)
		bob.say(fmt.Sprintf("bob says %d", i), patience)
	}
	heard := func(p *person, from string, count int) {
		t.Helper()
		process.Eventually(t, patience, fmt.Sprintf("%s has heard %d of %s", p.user, count, from), func() bool { return len(p.heard()) >= count })
	}
	heard(alice, "bob", 100)
	heard(bob, "alice", 100)
	if err := bob.Disconnect(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		alice.say(fmt.Sprintf("alice says %d to nobody", i), patience)
	}
	bob.SetServices(s.door(0))
	if err := bob.Connect(); err != nil {
		t.Fatal(err)
	}
	heard(bob, "alice", 120)
	c := &crowd{s: s, said: said, rooms: []string{"room"}, persons: []*person{alice, bob}}
	var faults []string
	for i := range s.nodes {
		log := c.log(i, "room")
		faults = append(faults, auditLog(log, said.in("room"))...)
		faults = append(faults, auditEar("alice", alice.heard(), log)...)
		faults = append(faults, auditEar("bob", bob.heard(), log)...)
	}
	c.complain(append(faults, said.faults...))
}

// TestPushReachesOtherNode: a push by any way to any node reaches a user on another one, and the outcome says so.
func TestPushReachesOtherNode(t *testing.T) {
	eachEngine(t, pushReachesOtherNode)
}

func pushReachesOtherNode(t *testing.T, s *scene) {
	t.Helper()
	alice, bob, _ := pair(s)
	ctl := exec.CommandContext(t.Context(), process.Program("hermodctl"), "push", "--openid", "bob", "--addr", s.nodes[0].Gateway,
		"--token", serviceToken, "--content", "by hand", "--data", "by hand")
	if out, err := ctl.CombinedOutput(); err != nil {
		t.Errorf("hermodctl push: %v\n%s", err, out)
	}
	for i, p := range []*person{bob, alice} { // each is pushed to at the other node
		for j, opts := range [][]upstream.CallOption{nil, {upstream.WaitForAck(10 * time.Second)}, {upstream.StoreOffline()}} {
			id := fmt.Sprintf("push %d%d", i, j)
			o, err := s.pushes(i).Push(t.Context(), upstream.OpenID(p.user), note(id), opts...)
			if err != nil || o.Status != upstream.Delivered {
				t.Errorf("%s to %s: %+v, %v", id, p.user, o, err)
			}
		}
		rest(t, s.nodes[i], p.user, fmt.Sprint("rest ", i))
	}
	process.Eventually(t, process.Patience, "everything has arrived once", func() bool {
		for _, id := range []string{"push 00", "push 01", "push 02", "rest 0"} {
			if bob.saw(id) != 1 || alice.saw(strings.Replace(id, " 0", " 1", 1)) != 1 {
				return false
			}
		}
		return true
	})
	o, err := s.pushes(0).Push(t.Context(), upstream.OpenID("nobody"), note("to nobody"))
	if err == nil || o.Status != upstream.Offline {
		t.Errorf("a push to nobody: %+v, %v", o, err)
	}
}

// rest pushes over HTTP.
func rest(t *testing.T, n *node, user, id string) {
	t.Helper()
	body := fmt.Sprintf(`{"targetType": "openid", "targetId": %q, "msgType": "chaos", "data": %q}`, user, base64.StdEncoding.EncodeToString([]byte(id)))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.Ops+"/v1/push", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+serviceToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("REST: %s: %d %s, %v", id, resp.StatusCode, answer, err)
	}
}
