package main

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// payloadSize is the length of a message's content in bytes.
const payloadSize = 128

// load puts a server under load and measures it.
type load struct {
	plan   bench.Plan
	stored bool // of the node's rooms; the bare loop has only the other kind
	// barePlan is how the bare loop is loaded where it does not speak the node's protocol.
	barePlan func(bench.Plan) bench.Plan
	// upstream gives both servers a business service in a process of its own.
	upstream bool
	// then is, for a second load of the same kind, the rate that follows from what the first has reached;
	// with an upstream that is asked at this rate too, without a gateway between.
	then func(bench.Result) float64
	// thenInFlight bounds what may be unanswered of one sender then.
	thenInFlight int
}

// measure loads a server that has just been started; upstream is the address of its business service,
// if it has one.
func (l load) measure(ctx context.Context, s *server, stored bool, upstream string) (out sample, err error) {
	p := l.plan
	p.Stored, p.Server = stored, s.meter()
	if s.name == "bare" && l.barePlan != nil {
		p = l.barePlan(p)
	}
	aim(&p, s.at)
	if out.Result, err = perform(ctx, p); err != nil || l.then == nil {
		return out, err
	}
	p.Rate, p.InFlight = l.then(out.Result), l.thenInFlight
	if out.then, err = perform(ctx, p); err != nil {
		return out, fmt.Errorf("at %.0f/s: %w", p.Rate, err)
	}
	if !l.upstream {
		return out, nil
	}
	p.Transport, p.Protocol, p.Addr = bench.GRPC, bench.Upstream, upstream
	if out.direct, err = perform(ctx, p); err != nil {
		return out, fmt.Errorf("at %.0f/s without a gateway: %w", p.Rate, err)
	}
	return out, nil
}

// perform runs a load, of which everything has to be right.
func perform(ctx context.Context, p bench.Plan) (bench.Result, error) {
	r, err := bench.Run(ctx, p, nil)
	if err != nil {
		return bench.Result{}, err
	}
	return *r, sound(r)
}

// aim lets a plan be carried out where a server listens.
func aim(p *bench.Plan, at addrs) {
	switch {
	case p.Protocol == bench.Upstream:
		p.Addr = at.service
	case p.Transport == bench.GRPC:
		p.Addr = at.im
	case p.Transport == bench.WebSocket:
		p.Addr = at.web
	default:
		p.Addr = at.quic
		// Both servers make a certificate for themselves.
		p.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	}
	p.Gateway = at.service
}
