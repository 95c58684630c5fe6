package protocol_test

import (
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

// FuzzPushRequest: whatever another node asks, this one goes on, and answers an offer for each of its targets.
func FuzzPushRequest(f *testing.F) {
	for _, q := range []*wire.PushRequest{
		{},
		{Kind: &wire.PushRequest_Offer{Offer: &wire.PushOffer{}}},
		{Kind: &wire.PushRequest_Offer{Offer: &wire.PushOffer{
			Number: 1, Wait: 1, Push: &wire.Push{Id: "1", Mortal: true, Left: -1, BoundSeq: 7},
			Targets: []*wire.PushTarget{
				{}, {Kind: &wire.PushTarget_User{User: "alice"}}, {Kind: &wire.PushTarget_Gid{Gid: 7}}, {Kind: &wire.PushTarget_Session{Session: "s"}},
			},
		}}},
		{Kind: &wire.PushRequest_Sequel{Sequel: &wire.PushSequel{Number: 1, Queued: []int32{-1, 9}}}},
		{Kind: &wire.PushRequest_Work{Work: &wire.PushWork{Key: "k"}}},
	} {
		b, err := proto.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	core := session.NewCore(session.Config{QueueBytes: 200, ResumeWindow: time.Minute, StallTimeout: time.Minute}, slog.New(slog.DiscardHandler))
	p := protocol.NewPusher(node.New(core, broker.NewMemory(), presence.New(0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var answer []byte
		p.Request(broker.Request{Node: "n", Body: b, Answer: func(a []byte) { answer = a }})
		var q wire.PushRequest
		if proto.Unmarshal(b, &q) != nil || q.GetOffer() == nil {
			return
		}
		var a wire.PushAnswer
		if err := proto.Unmarshal(answer, &a); err != nil || len(a.GetOutcomes()) != len(q.GetOffer().GetTargets()) {
			t.Errorf("%d targets are answered by %v, %v", len(q.GetOffer().GetTargets()), &a, err)
		}
	})
}
