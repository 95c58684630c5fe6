package hub

// Missed has the log of a channel, or of every channel when it has no name, read from where it stands here:
// publications may not have come. It does not wait for that.
func (h *Hub) Missed(name string) {
	if name != "" {
		if ch := h.find(name); ch != nil {
			ch.missed()
		}
		return
	}
	h.readers.together(func() {
		for i := range h.channels {
			for _, ch := range h.channels[i].all() {
				ch.missed()
			}
		}
	})
}

// all returns the channels of a shard.
func (shard *channelShard) all() []*channel {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	all := make([]*channel, 0, len(shard.byName))
	for _, ch := range shard.byName {
		all = append(all, ch)
	}
	return all
}

func (ch *channel) missed() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.spreadLocked() // what is here is in order yet
	if ch.gone {
		return
	}
	if ch.turns != nil {
		ch.askTurnLocked()
	}
	if ch.kept {
		ch.askLocked()
		return
	}
	for _, sub := range ch.subs {
		sub.Missed()
	}
}
