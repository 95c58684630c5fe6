package main

import (
	"fmt"
	"sync/atomic"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// ledger checks what one stream receives. Its plain fields belong to the goroutine that reads the
// stream; whoever has seen a counter reach a value may read what was noted before that.
type ledger struct {
	durable bool
	lastSeq int64
	next    []uint64   // next expected number, per sender of the room
	clock   *stopwatch // nil when nobody asks how long things took

	received atomic.Int64 // messages of others
	acked    atomic.Int64 // own messages that were answered
	beats    atomic.Int64 // heartbeats that were answered
	frames   atomic.Int64 // everything, notices of joining and leaving too
}

// dueRing is how many unanswered messages of one stream a stopwatch can keep the time of.
const dueRing = 1024

// stopwatch notes, while it is on, how long messages took. Its slices belong to the reader of the
// stream.
type stopwatch struct {
	on       atomic.Bool
	due      [dueRing]atomic.Int64 // when own messages were to be sent, by number, Unix nanoseconds
	delivery []time.Duration       // of others' messages, from due to here
	ack      []time.Duration       // of own messages, from due to the ACK
}

func (w *stopwatch) noteDelivery(s stamp) {
	if w != nil && w.on.Load() {
		w.delivery = append(w.delivery, s.age())
	}
}

func (w *stopwatch) noteAck(number uint64) {
	if w != nil && w.on.Load() {
		w.ack = append(w.ack, stamp{due: w.due[number%dueRing].Load()}.age())
	}
}

// take books one frame, or says what is wrong with it.
func (l *ledger) take(f frame) error {
	if err := l.inSequence(f); err != nil {
		return err
	}
	l.frames.Add(1)
	switch f.kind {
	case imv1.MessageType_MESSAGE_TYPE_TEXT:
		return l.takeText(f)
	case imv1.MessageType_MESSAGE_TYPE_ACK:
		return l.takeAck(f)
	case imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
		l.beats.Add(1)
	}
	return nil
}

// inSequence holds for everything that has a place in the room, one's own ACKs included.
func (l *ledger) inSequence(f frame) error {
	if f.seq == 0 {
		return nil
	}
	if l.lastSeq != 0 && f.seq != l.lastSeq+1 {
		return fmt.Errorf("seq %d follows %d", f.seq, l.lastSeq)
	}
	l.lastSeq = f.seq
	return nil
}

func (l *ledger) takeText(f frame) error {
	s, err := readStamp(f.content)
	if err != nil {
		return err
	}
	if l.durable && f.seq == 0 {
		return fmt.Errorf("message %d of a durable room has no seq", s.number)
	}
	if int(s.sender) >= len(l.next) || s.number != l.next[s.sender] {
		return fmt.Errorf("message %d of sender %d is out of turn: expected %v", s.number, s.sender, l.next)
	}
	l.next[s.sender]++
	l.clock.noteDelivery(s)
	l.received.Add(1)
	return nil
}

func (l *ledger) takeAck(f frame) error {
	number, err := readAck(f.content)
	if err != nil {
		return err
	}
	if want := uint64(l.acked.Load()); number != want {
		return fmt.Errorf("message %d was acknowledged, it was the turn of %d", number, want)
	}
	l.clock.noteAck(number)
	l.acked.Add(1)
	return nil
}
