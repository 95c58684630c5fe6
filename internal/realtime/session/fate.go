package session

import "sync"

// Fate follows one push target whose frame waits in sessions, beyond the answer that its caller got, to
// its end. With several sessions the best end counts. It is safe for concurrent use and takes no other
// lock.
type Fate struct {
	mu   sync.Mutex
	open int // sessions that have the frame; and the caller, until he has decided
	best Offered
	told func(Offered)
}

// NewFate returns the fate of a target that is about to be offered to sessions. Decide follows.
func NewFate() *Fate { return &Fate{open: 1} }

// Decide tells whether the target was answered that it waits, so that its end matters: told is called
// with it, once: Acked, Expired, Unsure, or Gone when it was never written. Without Decide nobody is told.
// told must not block.
func (f *Fate) Decide(told func(Offered)) {
	f.mu.Lock()
	f.told = told
	f.mu.Unlock()
	f.leave(Gone)
}

func (f *Fate) join() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
}

func (f *Fate) leave(o Offered) {
	f.mu.Lock()
	f.best = max(f.best, o)
	f.open--
	told := f.told
	if f.open > 0 {
		told = nil
	}
	best := f.best
	f.mu.Unlock()
	if told != nil {
		told(best)
	}
}

// interest is what somebody wants to know of a frame.
type interest struct {
	settled chan<- Offered // of who waits for it now; nil: nobody
	fate    *Fate          // nil: its end does not matter
}

func (i interest) none() bool { return i.settled == nil && i.fate == nil }

// taken notes that a session has the frame.
func (i interest) taken() interest {
	if i.fate != nil {
		i.fate.join()
	}
	return i
}

// end tells what became of the frame.
func (i interest) end(o Offered) {
	if i.settled != nil {
		i.settled <- o
	}
	if i.fate != nil {
		i.fate.leave(o)
	}
}

// detach tells who waits that the connection was lost and the frame waits for the client.
func (i *interest) detach() {
	if i.settled != nil {
		i.settled <- Kept
		i.settled = nil
	}
}
