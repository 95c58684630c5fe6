package chat

import (
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Limits of the block of missed messages: of a longer one no more is held back, and it ends when
// nothing of it came for quiet.
const (
	maxMissed = 500
	quiet     = 300 * time.Millisecond
)

// missed gathers, after entering, what was said while the user was away, so that it can be
// counted before it is shown. Live messages wait behind it.
type missed struct {
	until time.Time // the room's last message when the user came
	old   []*imv1.MessageResponse
	live  []*imv1.MessageResponse
	timer *time.Timer
	begun bool // until is known
	open  bool // it was too long to be held back: what comes is shown
	done  bool
}

// begin says where the past ends. What has come before this was asked is sorted now.
func (m *missed) begin(until time.Time) {
	m.until, m.begun = until, true
	m.timer = time.NewTimer(quiet)
	held := m.live
	m.live = nil
	for _, msg := range held {
		m.add(msg)
	}
}

// add takes msg and tells whether it waits in the block.
func (m *missed) add(msg *imv1.MessageResponse) (held bool) {
	old := m.begun && !msg.GetTimestamp().AsTime().After(m.until)
	if old && !m.done {
		m.timer.Reset(quiet)
	}
	switch {
	case m.done, m.open:
		return false
	case old:
		m.old = append(m.old, msg)
	default:
		m.live = append(m.live, msg)
	}
	return true
}

// full tells whether no more is to be held back.
func (m *missed) full() bool { return m.begun && !m.open && len(m.old)+len(m.live) >= maxMissed }

// ended is readable when nothing of the past came for a while.
func (m *missed) ended() <-chan time.Time {
	if !m.begun || m.done {
		return nil
	}
	return m.timer.C
}

// take returns what is held back. Nothing is any more.
func (m *missed) take() (old, live []*imv1.MessageResponse) {
	m.open = true
	old, live = m.old, m.live
	m.old, m.live = nil, nil
	return old, live
}
