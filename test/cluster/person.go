package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/test/process"
)

const text = imv1.MessageType_MESSAGE_TYPE_TEXT

// person is a client of the SDK, in one room.
type person struct {
	*client.Client
	ear
	said  *speeches
	acked atomic.Int64 // how many of its messages were taken

	mu      sync.Mutex
	lost    time.Time     // when its connection was lost; zero while it has one
	away    time.Duration // the longest time without one
	delayed time.Duration // the longest time until a message was taken
}

// connect connects to the first of doors, and to any other later.
func (p *person) connect(doors []*discovery.ServiceInfo) (err error) {
	p.Client, err = client.NewClient(&client.Config{
		Services: doors, UserID: p.user, DefaultRoomID: p.room, DeviceID: "sdk",
		ConnectTimeout: 5 * time.Second, RequestTimeout: patience, HeartbeatInterval: 5 * time.Second,
		MaxRetries: -1, RetryInterval: 500 * time.Millisecond, Backoff: func(int) time.Duration { return rand.N(500 * time.Millisecond) },
		OnMessage: p.take, OnConnect: p.found, OnDisconnect: p.missed,
	})
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(process.Patience); ; {
		if err = p.Connect(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (p *person) take(m *imv1.MessageResponse) {
	switch {
	case m.GetSeq() > 0 && m.GetType() == text:
		p.hear(line{m.GetSeq(), m.GetFromUserId(), string(m.GetContent())})
	case m.GetSeq() == 0:
		p.push(string(m.GetContent()))
	}
}

func (p *person) found() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.lost.IsZero() {
		p.away, p.lost = max(p.away, time.Since(p.lost)), time.Time{}
	}
}

func (p *person) missed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !errors.Is(err, client.ErrMoved) && !errors.Is(err, client.ErrDisconnected) {
		p.lost = time.Now()
	}
}

// longest are the longest times that the person had no connection, and waited for an answer.
func (p *person) longest() (away, delayed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away, p.delayed
}

// speak says one thing after another until ctx ends, and each until it is taken, but for some that it gives up soon.
func (p *person) speak(ctx context.Context, rng *rand.Rand, pause time.Duration) {
	for number := 1; doze(ctx, pause/2+time.Duration(rng.Int64N(int64(pause)))); number++ {
		most := patience
		if rng.IntN(20) == 0 {
			most = time.Duration(rng.Int64N(int64(5 * time.Millisecond)))
		}
		p.say(fmt.Sprintf("%s says %d", p.user, number), most)
	}
}

// say says something until it is taken, for a time at most.
func (p *person) say(content string, most time.Duration) {
	m := p.said.begin(p.user, p.room, content)
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for ctx.Err() == nil {
		r, err := p.Send(ctx, &imv1.MessageRequest{MessageId: "id of " + content, RoomId: p.room, Type: text, Content: []byte(content)})
		if err == nil {
			p.acked.Add(1)
			p.mu.Lock()
			p.delayed = max(p.delayed, time.Since(began))
			p.mu.Unlock()
			p.said.taken(m, r.Seq, r.MessageID)
			return
		}
		if refused, ok := errors.AsType[*client.RefusedError](err); ok && !passing[refused.Reason] {
			p.said.wrong("%q was refused: %v", content, err)
			return
		}
		doze(ctx, 50*time.Millisecond)
	}
	if most == patience {
		p.said.wrong("%q was not taken within %s", content, most)
	}
}

// doze lets a while pass and tells whether ctx lasts.
func doze(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
