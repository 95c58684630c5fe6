package bench

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func goodPlan() Plan {
	return Plan{
		Mode: Fanout, Transport: GRPC, Protocol: IM, Connections: 4, Rooms: 2, Size: 128, InFlight: 1, Batch: 1,
		Duration: time.Second,
	}
}

func TestPlanCheck(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*Plan){
		`there is no mode "fan"; allowed are fanout, rooms, broadcast, push, request, idle`: func(p *Plan) { p.Mode = "fan" },
		`there is no transport "tcp"; allowed are grpc, websocket, quic`:                    func(p *Plan) { p.Transport = "tcp" },
		`there is no protocol "xmpp"`:                       func(p *Plan) { p.Protocol = "xmpp" },
		"quic needs TLS":                                    func(p *Plan) { p.Mode, p.Transport, p.Protocol = Idle, QUIC, Gateway },
		"the mode fanout needs rooms":                       func(p *Plan) { p.Protocol = Gateway },
		"the mode request needs the protocol gateway":       func(p *Plan) { p.Mode = Request },
		"upstream is for the mode request over grpc":        func(p *Plan) { p.Mode, p.Protocol = Idle, Upstream },
		"connections: 0 is not possible; 1 to 1048576":      func(p *Plan) { p.Connections = 0 },
		"bytes of a payload: 27 is not possible; 28 to":     func(p *Plan) { p.Size = MinSize - 1 },
		"messages in flight: 0 is not possible":             func(p *Plan) { p.InFlight = 0 },
		"targets of a call: 5 is not possible; 1 to 4":      func(p *Plan) { p.Batch = 5 },
		"messages per second: -1 is not possible; 0 to":     func(p *Plan) { p.Rate = -1 },
		"the window: -1 is not possible":                    func(p *Plan) { p.Window = -1 },
		"the duration: 0s is not possible; 1ms to 24h0m0s":  func(p *Plan) { p.Duration = 0 },
		"the warm-up: -1s is not possible":                  func(p *Plan) { p.WarmUp = -time.Second },
		"rooms: 0 is not possible":                          func(p *Plan) { p.Rooms = 0 },
		"4 connections are too few for 3 rooms: each needs": func(p *Plan) { p.Rooms = 3 },
	} {
		p := goodPlan()
		spoil(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := Run(t.Context(), p, nil); err == nil {
			t.Errorf("a plan was carried out that should say %q", want)
		}
	}
	for _, adapt := range []func(*Plan){
		func(*Plan) {},
		func(p *Plan) { p.Mode = Rooms },
		func(p *Plan) { p.Mode, p.Rooms = Idle, 0 },
		func(p *Plan) { p.Mode, p.Protocol, p.Rooms = Request, Upstream, 0 },
		func(p *Plan) { p.Mode, p.Transport, p.Protocol, p.TLS = Push, QUIC, Gateway, &tls.Config{} },
		func(p *Plan) { p.Transport, p.TLS = QUIC, &tls.Config{} },
	} {
		p := goodPlan()
		adapt(&p)
		if err := p.Check(); err != nil {
			t.Error(err)
		}
	}
}
