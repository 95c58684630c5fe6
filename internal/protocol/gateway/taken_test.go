package gateway_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/session"
)

// TestA5OneAtATimeGetsASession: two nodes ask for a session at once, which waits for the answer to a request. The one
// that is second finds it with the first; it does not inherit what has gone on elsewhere.
func TestA5OneAtATimeGetsASession(t *testing.T) {
	for range 10 {
		runFleet(t, 3, config, func(t *testing.T, f *fleet) {
			c := f.nodes[0].dial(gateway.Proto)
			id, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
			secret := ticket[strings.LastIndex(ticket, ".")+1:]
			c.ask("nap", "")
			synctest.Wait()
			var asking sync.WaitGroup
			for i := 1; i <= 2; i++ {
				asking.Go(func() {
					_, legacy := f.moves[i].Fetch(t.Context(), protocol.Wanted{
						Session: id, User: "7", Protocol: f.nodes[i].handler, Return: session.Return{Ticket: secret, Last: 2}, Heir: true,
					})
					if legacy != nil {
						t.Errorf("node %d inherits %+v", i, legacy)
					}
				})
			}
			asking.Wait()
			at := 0 // who has it in the end
			for i, b := range f.nodes {
				if b.node.Session(id) != nil {
					at += i + 1
				}
			}
			if at != 2 && at != 3 {
				t.Errorf("the sessions of the user: %v", f.sessions("7"))
			}
		})
	}
}

// TestRequestsAreRefusedUntilASessionHasMoved: that one node gives up to get a session does not let requests in while
// another one is getting it.
func TestRequestsAreRefusedUntilASessionHasMoved(t *testing.T) {
	runFleet(t, 3, config, func(t *testing.T, f *fleet) {
		c := f.nodes[0].dial(gateway.Proto)
		id, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		secret := ticket[strings.LastIndex(ticket, ".")+1:]
		c.ask("sleep", "")
		synctest.Wait()
		for i := 1; i <= 2; i++ {
			go f.moves[i].Fetch(t.Context(), protocol.Wanted{
				Session: id, User: "7", Protocol: f.nodes[i].handler, Return: session.Return{Ticket: secret, Last: 2},
			})
			time.Sleep(300 * time.Millisecond)
		}
		c.take()
		c.ask("echo", "x")
		c.want("3 error 503 MOVING")
	})
}
