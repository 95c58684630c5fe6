package client

import (
	"context"
	"sync"
)

// Limits of what waits for OnMessage before the client stops reading.
const (
	maxQueued      = 4096
	maxQueuedBytes = 8 << 20
)

// A task is one thing that the callback queue does.
type task struct {
	run      func()
	callback bool // run calls the program's code
	message  bool // dropped by Disconnect
	bytes    int
}

// queue runs tasks one after another, in a goroutine that exists only while there are any. It
// belongs to one Client and is safe for concurrent use.
type queue struct {
	mu         sync.Mutex
	tasks      []task
	bytes      int
	idle       chan struct{} // closed when the goroutine ends; nil while there is none
	inCallback bool
	dropping   bool // messages are dropped; from Disconnect on, until the next Connect

	room chan struct{} // holds a token: something may have changed for who waits in waitRoom
}

// push adds a task. It never blocks; who adds many calls waitRoom.
func (q *queue) push(t task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dropping && t.message {
		return
	}
	q.tasks = append(q.tasks, t)
	q.bytes += t.bytes
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.work(q.idle)
	}
}

func (q *queue) work(idle chan struct{}) {
	defer close(idle)
	for {
		t, ok := q.next()
		if !ok {
			return
		}
		t.run()
		q.poke()
	}
}

func (q *queue) next() (task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		q.tasks, q.idle, q.inCallback = nil, nil, false
		return task{}, false
	}
	t := q.tasks[0]
	q.tasks[0] = task{} // lets go of the message
	q.tasks = q.tasks[1:]
	q.bytes -= t.bytes
	q.inCallback = t.callback
	return t, true
}

// dropMessages forgets the messages that wait, and those that are still to be read until takeMessages: were one of
// them handled, the server would take those before it for handled as well. They were not acknowledged, so they come again.
func (q *queue) dropMessages() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropping = true
	var kept []task
	for _, t := range q.tasks {
		if t.message {
			q.bytes -= t.bytes
			continue
		}
		kept = append(kept, t)
	}
	q.tasks = kept
	q.poke()
}

func (q *queue) takeMessages() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropping = false
}

// waitRoom returns when there is room for another message, when may returns true, or when ctx
// ends.
func (q *queue) waitRoom(ctx context.Context, may func() bool) {
	for q.full() && !may() {
		select {
		case <-q.room:
		case <-ctx.Done():
			return
		}
	}
}

// poke makes waitRoom look again.
func (q *queue) poke() {
	select {
	case q.room <- struct{}{}:
	default:
	}
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks)
}

func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks) >= maxQueued || q.bytes >= maxQueuedBytes
}

// wait returns when all is done, or at once when a callback is running: the caller may be that
// very callback, or somebody it waits for.
func (q *queue) wait() {
	q.mu.Lock()
	idle := q.idle
	if q.inCallback {
		idle = nil
	}
	q.mu.Unlock()
	if idle != nil {
		<-idle
	}
}
