package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fanoutLimit bounds one measurement, the warm-up included.
const fanoutLimit = 3 * time.Minute

// fanout is one sender and many receivers in one room.
type fanout struct {
	receivers int
	messages  int
	window    int
	batch     bool
	web       bool // over WebSocket, whose frames are small as they are
}

// measure sends the messages and returns once everybody has them all. The sender is at most
// window messages ahead of its ACKs and of the slowest receiver, so that neither server is made
// to drop anybody: the figure is what the server can do, not how it fails.
func (l fanout) measure(ctx context.Context, s *server, durable bool) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, fanoutLimit)
	defer cancel()
	f := newFleet(ctx, s.addr)
	if l.web {
		f = webFleet(ctx, s.web)
	}
	out, err := l.load(f, s, durable)
	return out, errors.Join(err, f.close())
}

func (l fanout) load(f *fleet, s *server, durable bool) (sample, error) {
	sender := newPeer("sender", "bench", "ack", 1, durable)
	crowd := make([]*peer, l.receivers)
	for i := range crowd {
		crowd[i] = newPeer(fmt.Sprintf("r%d", i), "bench", l.capabilities(), 1, durable)
	}
	if err := f.open(append(crowd, sender), len(crowd)+1); err != nil {
		return sample{}, err
	}
	if err := f.quiet(); err != nil {
		return sample{}, err
	}
	warm := max(l.window, l.messages/10)
	if err := l.send(f, sender, crowd, 0, warm); err != nil {
		return sample{}, err
	}
	before, err := s.usage()
	if err != nil {
		return sample{}, err
	}
	if err := l.send(f, sender, crowd, warm, warm+l.messages); err != nil {
		return sample{}, err
	}
	after, err := s.usage()
	if err != nil {
		return sample{}, err
	}
	return newSample(before, after, l.messages*l.receivers), nil
}

func (l fanout) capabilities() string {
	if l.batch {
		return "batch"
	}
	return ""
}

// send sends messages from to to-1 and waits for all receivers to have them.
func (l fanout) send(f *fleet, sender *peer, crowd []*peer, from, to int) error {
	confirmed := func() int {
		return int(min(sender.acked.Load(), least(crowd, func(p *peer) int64 { return p.received.Load() })))
	}
	done := confirmed()
	for n := from; n < to; n++ {
		for n-done >= l.window {
			if done = confirmed(); n-done < l.window {
				break
			}
			if err := f.pause(); err != nil {
				return err
			}
		}
		msg := textRequest(sender.room, stamp{number: uint64(n), due: time.Now().UnixNano()})
		if err := sender.stream.SendMsg(msg); err != nil {
			return f.why(err)
		}
	}
	err := f.await(fanoutLimit, "the slowest receiver", func() bool { return confirmed() >= to })
	if err != nil {
		return fmt.Errorf("%d of %d messages were answered and had reached everybody: %w", confirmed(), to, err)
	}
	return nil
}
