package cluster

import (
	"fmt"
	"testing"
)

// TestOutboxIsBounded: what has no room is dropped, at once, and its channel is remembered.
func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	o := newOutbox(10_000)
	m := Message{Subject: "s", Data: make([]byte, 1000)}
	kept := 0
	for i := range 100 {
		if o.push(m, fmt.Sprint("room:", i%3)) {
			kept++
		}
	}
	if _, bytes := o.size(); kept != 9 || bytes > 10_000 {
		t.Errorf("%d kept, %d bytes", kept, bytes)
	}
	channels, all := o.takeHoles()
	if len(channels) != 3 || all || o.holed() {
		t.Errorf("holes %v, all %v", channels, all)
	}
	for i := range 2 * maxHoles {
		o.push(m, fmt.Sprint("room:", i))
	}
	if channels, all := o.takeHoles(); len(channels) != 0 || !all {
		t.Errorf("holes %v, all %v", channels, all)
	}
	total := 0
	for batch := o.take(); len(batch) > 0; batch = o.take() {
		total += len(batch)
	}
	if n, bytes := o.size(); total != kept || n != 0 || bytes != 0 {
		t.Errorf("%d taken, %d left, %d bytes", total, n, bytes)
	}
	if !o.push(Message{Data: make([]byte, 20_000)}, "") {
		t.Error("what is larger than all has no place in an empty outbox")
	}
	o.take()
	o.close()
	if o.push(m, "") || !o.finished() {
		t.Error("a closed outbox takes more")
	}
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	o := newOutbox(1 << 30)
	for range 3 * batchMessages {
		o.push(Message{Data: make([]byte, 10)}, "")
	}
	if n := len(o.take()); n != batchMessages {
		t.Errorf("%d messages", n)
	}
	o = newOutbox(1 << 30)
	for range 10 {
		o.push(Message{Data: make([]byte, batchBytes/2)}, "")
	}
	if n := len(o.take()); n != 1 {
		t.Errorf("%d large messages", n)
	}
}
