package gateway

import "sync"

// lane runs the requests of one session one after another, while the session's reader goes on with
// heartbeats and acknowledgments. It has a goroutine only while there is something to do. The zero
// lane is ready.
type lane struct {
	mu      sync.Mutex
	waiting []func()
	running bool
	idle    chan struct{} // closed when nothing is left, if somebody waits for that
}

// add queues a request, unless most are waiting already.
func (l *lane) add(most int, do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= most {
		return false
	}
	l.waiting = append(l.waiting, do)
	if !l.running {
		l.running = true
		go l.run()
	}
	return true
}

func (l *lane) run() {
	for {
		do := l.next()
		if do == nil {
			return
		}
		do()
	}
}

func (l *lane) next() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running, l.waiting = false, nil
		if l.idle != nil {
			close(l.idle)
			l.idle = nil
		}
		return nil
	}
	do := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return do
}

// done returns a channel that is closed once all that was added has run.
func (l *lane) done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	if !l.running {
		close(l.idle)
		l.idle = nil
	}
	return idle
}
