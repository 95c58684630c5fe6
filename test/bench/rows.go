package main

import (
	"fmt"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// The goals of docs/performance.md.
const (
	goalVolatile = 0.8 // of the bare loop
	goalStored   = 0.6
	goalWeb      = 0.7
	goalWebRooms = 0.5
	goalService  = 0.5
	goalSlower   = 1.5 // times the bare loop's p99

	goalMessages    = 6000 // per wall second
	goalWebMessages = 10000
	goalLatency     = 50.0 // ms
	goalWebLatency  = 20.0
	goalAdded       = 2.0

	goalOwn    = 40 << 10 // bytes per session
	goalShared = 16 << 10
	goalSocket = 8 << 10
	goalQUIC   = 90 << 10
)

const (
	roomCount     = 100
	roomMembers   = 10
	ownStreams    = 2000
	sharedStreams = 10000
	sharedConns   = 20
	quicSessions  = 500
	pushers       = 64
	askers        = 100
)

func rows(opt *options) (all []row) {
	for _, group := range []func(*options) []row{fanoutRows, broadcastRows, latencyRows, roomsRows, pushRows, requestRows, idleRows} {
		all = append(all, group(opt)...)
	}
	return all
}

// plan is what all loads have in common.
func (o *options) plan(mode bench.Mode, transport bench.Transport, protocol bench.Protocol) bench.Plan {
	return bench.Plan{
		Mode: mode, Transport: transport, Protocol: protocol, Size: payloadSize, Batch: 1, InFlight: 1,
		WarmUp: o.warmUp, Duration: o.duration, Window: o.window,
	}
}

func fanoutRows(opt *options) (all []row) {
	for _, receivers := range []int{100, 1000} {
		for _, frames := range []string{"single", "envelope", "websocket"} {
			for _, kind := range []string{"volatile", "durable"} {
				all = append(all, fanoutRow(opt, receivers, frames, kind))
			}
		}
	}
	return all
}

func fanoutRow(opt *options, receivers int, frames, kind string) row {
	p := opt.plan(bench.Fanout, bench.GRPC, bench.IM)
	p.Connections, p.Rooms, p.InFlight, p.Envelopes = receivers+1, 1, opt.window, frames == "envelope"
	least := goalVolatile
	if frames == "websocket" {
		p.Transport, least = bench.WebSocket, goalWeb
	}
	if kind == "durable" {
		least = goalStored
	}
	return row{
		name:  fmt.Sprintf("fanout/%d/%s/%s", receivers, frames, kind),
		title: fmt.Sprintf("%d receivers, %s, %s", receivers, frames, kind),
		load:  load{plan: p, stored: kind == "durable"},
		goals: []goal{ratioGoal(least)},
	}
}

func broadcastRows(opt *options) (all []row) {
	for _, receivers := range []int{100, 1000} {
		p := opt.plan(bench.Broadcast, bench.WebSocket, bench.IM)
		p.Connections, p.InFlight = receivers, 16
		all = append(all, row{
			name:  fmt.Sprintf("broadcast/%d/websocket", receivers),
			title: fmt.Sprintf("%d receivers, websocket", receivers),
			load:  load{plan: p},
			goals: []goal{ratioGoal(goalWeb)},
		})
	}
	return all
}

func latencyRows(opt *options) []row {
	p := opt.plan(bench.Fanout, bench.WebSocket, bench.IM)
	p.Connections, p.Rooms, p.InFlight, p.Rate = 101, 1, opt.window, 100
	return []row{{
		name: "latency/websocket", title: "100 receivers, websocket, 10,000 deliveries/s",
		load: load{plan: p},
		goals: []goal{{fmt.Sprintf("≤ %.1f", goalSlower), func(o *outcome) bool {
			return o.ratio().median <= goalSlower
		}}},
	}}
}

func roomsRows(opt *options) []row {
	members := func(transport bench.Transport, inFlight int, rate float64) bench.Plan {
		p := opt.plan(bench.Rooms, transport, bench.IM)
		p.Connections, p.Rooms, p.InFlight, p.Rate, p.Window = roomCount*roomMembers, roomCount, inFlight, rate, 0
		p.Envelopes = transport == bench.GRPC
		return p
	}
	half := func(r bench.Result) float64 { return r.AcceptedPerSecond / 2 }
	half10k := func(bench.Result) float64 { return goalWebMessages / 2 }
	const paced = 256 // in flight: only a rate bounds them
	return []row{
		{
			name: "rooms/1", title: "gRPC, stored, 1 in flight each",
			load:  load{plan: members(bench.GRPC, 1, 0), stored: true, then: half, thenInFlight: paced},
			goals: []goal{rateGoal(goalMessages), thenGoal(goalLatency, "half of it")},
		}, {
			name: "rooms/8", title: "gRPC, stored, 8 in flight each",
			load: load{plan: members(bench.GRPC, 8, 0), stored: true},
		}, {
			name: "rooms/paced", title: fmt.Sprintf("gRPC, stored, %d messages/s in all", opt.rate),
			load:  load{plan: members(bench.GRPC, paced, float64(opt.rate)), stored: true},
			goals: []goal{latencyGoal(goalLatency)},
		}, {
			name: "rooms/websocket/volatile", title: "WebSocket, not stored, 1 in flight each",
			load:  load{plan: members(bench.WebSocket, 1, 0)},
			goals: []goal{ratioGoal(goalWebRooms)},
		}, {
			name: "rooms/websocket/volatile8", title: "WebSocket, not stored, 8 in flight each",
			load:  load{plan: members(bench.WebSocket, 8, 0)},
			goals: []goal{ratioGoal(goalWebRooms)},
		}, {
			name: "rooms/websocket/stored", title: "WebSocket, stored, 1 in flight each; then 5,000 messages/s",
			load:  load{plan: members(bench.WebSocket, 1, 0), stored: true, then: half10k, thenInFlight: paced},
			goals: []goal{rateGoal(goalWebMessages), thenGoal(goalWebLatency, "5000/s")},
		},
	}
}

func pushRows(opt *options) []row {
	p := opt.plan(bench.Push, bench.WebSocket, bench.IM)
	p.Connections, p.InFlight = 1000, pushers
	batch := p
	batch.InFlight, batch.Batch = 4, 1000
	return []row{{
		name: "push/one", title: fmt.Sprintf("PushToClient, %d calls at a time, 1,000 WebSocket sessions", pushers),
		load: load{plan: p}, goals: []goal{ratioGoal(goalService)},
	}, {
		name: "push/batch", title: "BatchPushToClients of 1,000, 4 calls at a time, 1,000 WebSocket sessions",
		load: load{plan: batch}, goals: []goal{ratioGoal(goalService)},
	}}
}

func requestRows(opt *options) (all []row) {
	for _, transport := range []bench.Transport{bench.GRPC, bench.WebSocket} {
		for _, service := range []string{"builtin", "upstream"} {
			p := opt.plan(bench.Request, transport, bench.Gateway)
			p.Connections, p.Action = askers, "echo"
			l := load{plan: p, barePlan: unary}
			r := row{
				name:  fmt.Sprintf("request/%s/%s", service, transport),
				title: fmt.Sprintf("%d sessions over %s, %s", askers, transport, map[string]string{"builtin": "built-in echo", "upstream": "a service of its own"}[service]),
				goals: []goal{ratioGoal(goalService)},
			}
			if service == "upstream" {
				l.upstream, l.thenInFlight = true, 16
				l.then = func(r bench.Result) float64 { return r.AcceptedPerSecond / 2 }
				r.goals = append(r.goals, addedGoal(goalAdded))
			}
			r.load = l
			all = append(all, r)
		}
	}
	return all
}

// unary is the same load as calls of a service, which is all that the bare loop offers.
func unary(p bench.Plan) bench.Plan {
	p.Transport, p.Protocol = bench.GRPC, bench.Upstream
	return p
}

func idleRows(opt *options) []row {
	resting := func(transport bench.Transport, protocol bench.Protocol, sessions, shared int) load {
		p := opt.plan(bench.Idle, transport, protocol)
		p.Connections, p.Shared, p.Duration, p.WarmUp = sessions, shared, opt.settle, 0
		if protocol == bench.IM {
			p.Rooms = sessions / roomMembers
		}
		return load{plan: p, stored: true}
	}
	return []row{{
		name: "idle/own", title: fmt.Sprintf("%d gRPC streams, a connection each", ownStreams),
		load: resting(bench.GRPC, bench.IM, ownStreams, 1), goals: []goal{memoryGoal(goalOwn)},
	}, {
		name: "idle/shared", title: fmt.Sprintf("%d gRPC streams on %d connections", sharedStreams, sharedConns),
		load: resting(bench.GRPC, bench.IM, sharedStreams, sharedStreams/sharedConns), goals: []goal{memoryGoal(goalShared)},
	}, {
		name: "idle/websocket", title: fmt.Sprintf("%d WebSocket connections", ownStreams),
		load: resting(bench.WebSocket, bench.IM, ownStreams, 0), goals: []goal{memoryGoal(goalSocket)},
	}, {
		name: "idle/quic", title: fmt.Sprintf("%d QUIC connections", quicSessions),
		load: resting(bench.QUIC, bench.Gateway, quicSessions, 0), goals: []goal{memoryGoal(goalQUIC)},
	}}
}
