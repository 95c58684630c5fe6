package protocol

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

const (
	// wishEvery is the pause between two tries of a node that has started to learn what is registered.
	wishEvery = time.Second
	// wishes bounds them. A node that is the first of its cluster learns nothing.
	wishes = 15
	// maxServices bounds how many instances one message tells of.
	maxServices = 1000
)

// Services lets all nodes know the business services that have registered themselves with one: what happens
// is told at once, what was lost on the way is told again by biz.Services, and a node that starts asks.
type Services struct {
	node     *node.Node
	services *biz.Services
}

// NewServices has a node's services known to the others, and theirs here. It is called before the node runs.
func NewServices(n *node.Node, services *biz.Services) *Services {
	s := &Services{n, services}
	if n.ID() != "" {
		services.Share(s.tell)
	}
	n.Handle(node.KindService, s.request) // at once, so that what a node tells keeps its order
	return s
}

// Run learns what is registered with the other nodes, and returns once it knows or ctx ends.
func (s *Services) Run(ctx context.Context) error {
	if s.node.ID() == "" {
		return nil
	}
	body := marshal(&wire.ServiceRequest{Kind: &wire.ServiceRequest_Wish{Wish: &wire.ServiceWish{}}})
	for range wishes {
		learned := false
		asking, cancel := context.WithTimeout(ctx, answerWithin)
		_ = askEverybody(asking, s.node, node.KindService, body, func(a broker.Answer) (ok, more bool) {
			var news wire.ServiceNews
			if proto.Unmarshal(a.Body, &news) != nil {
				return false, true
			}
			s.services.Heard(fromWireNews(&news))
			learned = true
			return true, true
		})
		cancel()
		if learned {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wishEvery):
		}
	}
	return nil
}

// tell tells the others. What does not reach them is told again.
func (s *Services) tell(news biz.ServiceNews) {
	for len(news.Registered)+len(news.Ended) > 0 {
		part := biz.ServiceNews{Again: news.Again, Ended: news.Ended, Registered: news.Registered[:min(len(news.Registered), maxServices)]}
		news = biz.ServiceNews{Again: news.Again, Registered: news.Registered[len(part.Registered):]}
		_ = s.node.Tell(broker.EveryNode, node.KindService, marshal(&wire.ServiceRequest{
			Kind: &wire.ServiceRequest_News{News: toWireNews(part)},
		}))
	}
}

func (s *Services) request(r broker.Request) {
	var q wire.ServiceRequest
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	switch v := q.GetKind().(type) {
	case *wire.ServiceRequest_News:
		s.services.Heard(fromWireNews(v.News))
	case *wire.ServiceRequest_Wish:
		all := s.services.Registrations(true)
		r.Answer(marshal(toWireNews(biz.ServiceNews{Again: true, Registered: all[:min(len(all), maxServices)]}))) // the others are told in time
	}
}

func toWireNews(n biz.ServiceNews) *wire.ServiceNews {
	return &wire.ServiceNews{Registered: toWireInstances(n.Registered), Ended: toWireInstances(n.Ended), Again: n.Again}
}

func toWireInstances(rs []biz.Registration) (all []*wire.ServiceInstance) {
	for _, r := range rs {
		all = append(all, &wire.ServiceInstance{Service: r.Service, Address: r.Address, Zone: r.Zone, Current: r.Current, Left: int64(r.Lease)})
	}
	return all
}

func fromWireNews(w *wire.ServiceNews) biz.ServiceNews {
	return biz.ServiceNews{Registered: fromWireInstances(w.GetRegistered()), Ended: fromWireInstances(w.GetEnded()), Again: w.GetAgain()}
}

func fromWireInstances(ws []*wire.ServiceInstance) (rs []biz.Registration) {
	for _, w := range ws {
		rs = append(rs, biz.Registration{
			Service: w.GetService(), Address: w.GetAddress(), Zone: w.GetZone(), Current: w.GetCurrent(), Lease: time.Duration(w.GetLeft()),
		})
	}
	return rs
}
