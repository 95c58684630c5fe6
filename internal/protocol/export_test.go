package protocol

import "github.com/game-im/hermod/internal/realtime/broker"

// Waiting is how many offers of other nodes wait for acknowledgements.
func (p *Pusher) Waiting() int {
	p.offers.mu.Lock()
	defer p.offers.mu.Unlock()
	return p.offers.wait
}

// Request takes what another node asks about pushes.
func (p *Pusher) Request(r broker.Request) { p.offers.request(r) }

// AttendanceHere is what a node says about some rooms, naming so many users at most.
var AttendanceHere = attendanceHere
