package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// TestA5DrainBesideADeadNode: a node that was killed a moment ago, and that others take for present, does not get the
// sessions of one that stops. They go to the next one and are resumed there.
func TestA5DrainBesideADeadNode(t *testing.T) {
	runFleet(t, 3, config, func(t *testing.T, f *fleet) {
		const users = 12 // each of whose sessions begins with the dead node or with the other one
		ids, tickets := make([]string, users), make([]string, users)
		for i := range users {
			ids[i], tickets[i] = f.nodes[0].dial(gateway.Proto).login(&gatewayv1.StartRequest{Openid: fmt.Sprint(i + 1)})
		}
		f.buses[1].Mute.Store(true) // it says no goodbye
		f.kills[1]()
		synctest.Wait()
		if others := f.nodes[0].node.Others(); len(others) != 2 {
			t.Fatalf("the dead node is gone already: %v", others)
		}
		f.nodes[0].node.Drain(t.Context(), 0)
		for i, id := range ids {
			if f.nodes[2].node.Session(id) == nil {
				t.Errorf("the session of user %d is lost", i+1)
				continue
			}
			back := f.nodes[2].dial(gateway.Proto)
			back.start(&gatewayv1.StartRequest{Openid: fmt.Sprint(i + 1), LastAckedSeqId: 2, ResumeTicket: tickets[i]})
			time.Sleep(time.Second)
			if h := back.one().GetHeaders(); h["resumed"] != "true" {
				t.Errorf("user %d: headers %v", i+1, h)
			}
		}
	})
}

// TestA5DrainBesideASilentNode: of a node that has got a session and does not answer nobody knows whether it has it. No
// other one gets it, and its client begins anew and is told so.
func TestA5DrainBesideASilentNode(t *testing.T) {
	runFleet(t, 3, config, func(t *testing.T, f *fleet) {
		c := f.nodes[0].dial(gateway.Proto)
		id, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		for f.nodes[0].node.Nearest(id, 1)[0] != "node1" { // whom it goes to first
			id, ticket = f.nodes[0].dial(gateway.Proto).login(&gatewayv1.StartRequest{Openid: "7", DeviceId: id})
		}
		f.buses[1].Mute.Store(true)
		f.nodes[0].node.Drain(t.Context(), 0)
		f.kills[0]()
		if f.nodes[2].node.Session(id) != nil {
			t.Error("another node has it as well")
		}
		back := f.nodes[2].dial(gateway.Proto)
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2, ResumeTicket: ticket})
		time.Sleep(3 * time.Second)
		if h := back.one().GetHeaders(); h["resync"] != "true" {
			t.Errorf("headers %v", h)
		}
	})
}
