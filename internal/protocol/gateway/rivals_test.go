package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

func policy(p gateway.Devices, most int) gateway.Config {
	cfg := config
	cfg.Devices, cfg.MaxDevices = p, most
	return cfg
}

// TestDevicesOnManyNodes: the policy holds for all nodes together; whoever loses his place is told to stay away.
func TestDevicesOnManyNodes(t *testing.T) {
	type login struct {
		node          int
		device, class string
	}
	for name, test := range map[string]struct {
		cfg    gateway.Config
		logins []login
		codes  []uint32
	}{
		"replace":     {policy(gateway.Replace, 0), []login{{0, "a", ""}, {1, "b", ""}, {2, "c", ""}}, []uint32{4004, 4004, 0}},
		"class":       {policy(gateway.Class, 0), []login{{0, "a", "pc"}, {1, "b", "phone"}, {2, "c", "pc"}}, []uint32{4004, 0, 0}},
		"same device": {policy(gateway.Allow, 5), []login{{0, "a", ""}, {1, "b", ""}, {2, "a", ""}}, []uint32{4004, 0, 0}},
		"allow":       {policy(gateway.Allow, 2), []login{{0, "a", ""}, {1, "b", ""}, {2, "c", ""}, {2, "d", ""}}, []uint32{4004, 4004, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			runFleet(t, 3, test.cfg, func(t *testing.T, f *fleet) {
				var clients []*client
				for _, l := range test.logins {
					c := f.nodes[l.node].dial(gateway.Proto)
					c.start(&gatewayv1.StartRequest{Openid: "7", DeviceId: l.device, DeviceClass: l.class})
					time.Sleep(time.Second)
					c.want("1 started")
					clients = append(clients, c)
				}
				for i, c := range clients {
					if code := c.closed(); code != test.codes[i] {
						t.Errorf("client %d was closed with %d, want %d", i, code, test.codes[i])
					}
				}
			})
		})
	}
}

// TestExactlyOneOfTwoLoginsWins: whoever logs in on two nodes in the same moment has one session afterwards, and
// the other client stays away.
func TestExactlyOneOfTwoLoginsWins(t *testing.T) {
	for range 50 {
		runFleet(t, 2, policy(gateway.Replace, 0), func(t *testing.T, f *fleet) {
			clients := []*client{f.nodes[0].dial(gateway.Proto), f.nodes[1].dial(gateway.Proto)}
			for i, c := range clients {
				go c.start(&gatewayv1.StartRequest{Openid: "7", DeviceId: fmt.Sprint(i)})
			}
			time.Sleep(5 * time.Second)
			lost := 0
			for _, c := range clients {
				switch code := c.closed(); code {
				case 4004:
					lost++
				case 0:
				default:
					t.Errorf("closed with %d", code)
				}
			}
			if n := f.sessions("7"); lost != 1 || n[0]+n[1] != 1 {
				t.Errorf("%d lost, sessions %v", lost, n)
			}
		})
	}
}

// TestDevicesAfterAnOutage: while nodes do not hear of each other each has its own policy; afterwards it holds for
// all again, within seconds.
func TestDevicesAfterAnOutage(t *testing.T) {
	runFleet(t, 2, policy(gateway.Replace, 0), func(t *testing.T, f *fleet) {
		f.network.Cut()
		first, second := f.nodes[0].dial(gateway.Proto), f.nodes[1].dial(gateway.Proto)
		first.start(&gatewayv1.StartRequest{Openid: "7", DeviceId: "a"})
		time.Sleep(time.Second)
		second.start(&gatewayv1.StartRequest{Openid: "7", DeviceId: "b"})
		time.Sleep(time.Second)
		f.wantSessions(t, "7", 1, 1)
		f.network.Heal()
		time.Sleep(5 * time.Second)
		f.wantSessions(t, "7", 0, 1)
		if code := first.closed(); code != 4004 {
			t.Errorf("the older one was closed with %d", code)
		}
	})
}

// TestDrainResyncsNobody: sessions of a node that stops wait for their clients on another one, with their tickets
// and numbers, also if those come to a third.
func TestDrainResyncsNobody(t *testing.T) {
	runFleet(t, 3, policy(gateway.Allow, 5), func(t *testing.T, f *fleet) {
		const users = 20
		tickets, clients := map[int]string{}, map[int]*client{}
		for u := range users {
			c := f.nodes[0].dial(gateway.Proto)
			_, tickets[u] = c.login(&gatewayv1.StartRequest{Openid: fmt.Sprint("u", u)})
			clients[u] = c
		}
		f.nodes[0].push("openid", "u3", "before")
		f.nodes[0].node.Drain(t.Context(), time.Second)
		if n := f.nodes[0].node.Count(); n != 0 {
			t.Errorf("%d sessions were left behind", n)
		}
		if n1, n2 := f.nodes[1].node.Count(), f.nodes[2].node.Count(); n1+n2 != users || n1 == 0 || n2 == 0 {
			t.Errorf("%d and %d sessions on the others", n1, n2)
		}
		for u := range users {
			if code := clients[u].closed(); code != 3000 {
				t.Errorf("closed with %d", code)
			}
		}
		f.kills[0]()
		synctest.Wait()
		for u := range users {
			back := f.nodes[2].dial(gateway.Proto)
			back.seq = 1
			back.start(&gatewayv1.StartRequest{Openid: fmt.Sprint("u", u), LastAckedSeqId: 2, ResumeTicket: tickets[u]})
			time.Sleep(time.Second)
			next := 3
			if u == 3 {
				back.want("3 200 [m] before|d", "4 started")
				next = 4
			} else {
				back.want("3 started")
			}
			back.ask("echo", "on")
			back.want(fmt.Sprint(next+1, " 200 success|Echo: on"))
		}
	})
}

// TestDrainWithoutAnybody: a node that no other can take over from closes its sessions as one that is alone.
func TestDrainWithoutAnybody(t *testing.T) {
	runFleet(t, 2, config, func(t *testing.T, f *fleet) {
		c := f.nodes[0].dial(gateway.Proto)
		c.login(&gatewayv1.StartRequest{Openid: "7"})
		f.nodes[1].node.Drain(t.Context(), 0) // and takes nothing over from now on
		f.nodes[0].node.Drain(t.Context(), 0)
		if code := c.closed(); code != 3000 {
			t.Errorf("closed with %d", code)
		}
		f.wantSessions(t, "7", 0, 0)
	})
}
