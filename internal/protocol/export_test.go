package protocol

// Waiting is how many offers of other nodes wait for acknowledgements.
func (p *Pusher) Waiting() int {
	p.offers.mu.Lock()
	defer p.offers.mu.Unlock()
	return p.offers.wait
}
