package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// soakUser is the openid, and gid, of the first of the crowd.
const soakUser = 50_000

// drifter is a client of the gateway protocol that keeps changing its connection and its transport. One
// that leaves ends its session now and then, and comes back with a new one.
type drifter struct {
	t      *testing.T
	roads  *roads
	openid string
	leaves bool

	mu      sync.Mutex
	session string

	// Of the goroutine that lives, until it has ended.
	road  road
	last  uint64 // number of the last frame
	msgID uint32
	seq   uint64
	seen  map[string]int // pushes by id, without what came again under its old number
	moves int
}

func (d *drifter) sessionID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.session
}

// live drifts until ctx ends, and then makes sure that everything has arrived.
func (d *drifter) live(ctx context.Context, arrived chan<- struct{}) {
	err := d.begin(true)
	arrived <- struct{}{}
	for err == nil && ctx.Err() == nil {
		err = d.listen(ctx, time.Duration(1000+rand.N(7000))*time.Millisecond)
		if err != nil || ctx.Err() != nil {
			break
		}
		d.moves++
		fresh := d.leaves && rand.N(2) == 0
		if fresh {
			d.say(gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{})
		}
		d.road.close()
		err = d.begin(fresh)
	}
	if err == nil {
		err = d.ask("echo")
	}
	if err != nil {
		d.t.Errorf("%s: %v", d.openid, err)
	}
	if d.road != nil {
		d.road.close()
	}
}

// say sends a request. That the connection has ended is found out by reading.
func (d *drifter) say(kind gatewayv1.RequestType, seq uint64, m proto.Message) (id uint32) {
	payload, err := proto.Marshal(m)
	if err != nil {
		d.t.Errorf("%s: %v", d.openid, err)
	}
	d.msgID++
	_ = d.road.send(&gatewayv1.ClientRequest{MsgId: d.msgID, SeqId: seq, Type: kind, Payload: payload}) // reading tells
	return d.msgID
}

// begin connects and starts a session, or continues it, and logs in if it is new.
func (d *drifter) begin(fresh bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var err error
	if d.road, err = d.roads.open(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if fresh {
		d.last = 0
	}
	start := &gatewayv1.StartRequest{Openid: d.openid, AuthToken: "default-token", LastAckedSeqId: d.last}
	answer, err := d.until(ctx, d.say(gatewayv1.RequestType_REQUEST_START, 0, start))
	if err != nil {
		return fmt.Errorf("START: %w", err)
	}
	resp := &gatewayv1.StartResponse{}
	if err := proto.Unmarshal(answer.GetPayload(), resp); err != nil || !resp.GetSuccess() {
		return fmt.Errorf("START was refused: %v, %w", resp, err)
	}
	d.mu.Lock()
	d.session = resp.GetConnectionId()
	d.mu.Unlock()
	if answer.GetHeaders()["resumed"] == "true" {
		return nil
	}
	if !fresh {
		return errors.New("the session could not be resumed")
	}
	return d.ask("hello")
}

// ask makes a business request and takes everything up to its answer.
func (d *drifter) ask(action string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d.seq++
	answer, err := d.until(ctx, d.say(gatewayv1.RequestType_REQUEST_BUSINESS, d.seq, &gatewayv1.BusinessRequest{Action: action}))
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	if answer.GetType() != gatewayv1.PushType_PUSH_BUSINESS_DATA {
		return fmt.Errorf("%s is answered with %v", action, answer)
	}
	return nil
}

// listen takes what comes, for a while.
func (d *drifter) listen(ctx context.Context, while time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	_, err := d.until(ctx, 0)
	if ctx.Err() == nil {
		return err
	}
	// WebSocket and QUIC cannot go on where a reading was broken off.
	if _, stream := d.road.(*streamRoad); !stream {
		d.road.close()
		return d.begin(false)
	}
	return nil
}

// until takes frames up to the answer to a request; 0 is none.
func (d *drifter) until(ctx context.Context, id uint32) (*gatewayv1.ServerPush, error) {
	for {
		push, err := d.road.recv(ctx)
		if err != nil {
			return nil, err
		}
		if push.GetType() == gatewayv1.PushType_PUSH_START_RESP && push.GetHeaders()["resumed"] != "true" {
			d.last = push.GetSeqId() - 1 // a new session, which counts anew
		}
		switch {
		case push.GetSeqId() > d.last+1:
			return nil, fmt.Errorf("frame %d after %d", push.GetSeqId(), d.last)
		case push.GetSeqId() == d.last+1:
			d.last++
			d.take(push)
		}
		d.say(gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: d.last})
		if id != 0 && push.GetMsgId() == id {
			return push, nil
		}
	}
}

func (d *drifter) take(push *gatewayv1.ServerPush) {
	if push.GetMsgId() != 0 || push.GetType() != gatewayv1.PushType_PUSH_BUSINESS_DATA {
		return
	}
	resp := &gatewayv1.BusinessResponse{}
	if err := proto.Unmarshal(push.GetPayload(), resp); err != nil {
		d.t.Errorf("%s: %v", d.openid, err)
	}
	d.seen[string(resp.GetData())]++
}
