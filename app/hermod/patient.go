package hermod

import (
	"io"
	"slices"
	"sync"
	"time"
)

// lineWaits is how long a line waits for whoever takes it.
const lineWaits = time.Second

// patient writes lines to what may stand still, as a terminal does that was stopped with Ctrl-S, or a pipe that nobody
// reads. Only the first line waits then; those behind it are dropped until it has been taken, and counted.
type patient struct {
	to   io.Writer
	tell func(lost int) []byte // a line for how many were dropped; nil: it is not told

	mu    sync.Mutex
	stuck <-chan struct{} // closed when the line that waits has been taken; nil: none waits
	lost  int
}

// Write implements io.Writer. What waits is no error: it may still be taken.
func (p *patient) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck != nil {
		select {
		case <-p.stuck:
			p.stuck = nil
		default:
			p.lost++
			return len(line), nil
		}
	}
	text := slices.Clone(line) // may be read after Write has returned
	if p.lost > 0 && p.tell != nil {
		text = append(p.tell(p.lost), text...)
	}
	p.lost = 0
	var err error
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		_, err = p.to.Write(text)
	}()
	select {
	case <-taken:
		return len(line), err
	case <-time.After(lineWaits):
		p.stuck = taken
		return len(line), nil
	}
}
