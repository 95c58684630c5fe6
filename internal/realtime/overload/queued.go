package overload

// grain is how many bytes a session's queue changes by before the node hears of it. Most queues never
// hold as much, and cost no more than the comparison.
const grain = 16 << 10

// Crowded is how much a session may have queued while the node has more than its limit: enough for a
// client that reads, and none that stopped reading has more.
const Crowded = 4 * grain

// Tally is one session's part of what is queued on a node, noticed with a delay of some thousand bytes.
// It belongs to whoever owns the queue. The zero Tally counts for no node.
type Tally struct {
	guard *Guard
	noted int64
}

// NewTally returns the Tally of an empty queue.
func (g *Guard) NewTally() Tally { return Tally{guard: g} }

// Now says how many bytes the queue has.
func (t *Tally) Now(bytes int) {
	d := int64(bytes) - t.noted
	if t.guard == nil || d == 0 || d < grain && d > -grain && bytes > 0 {
		return
	}
	t.noted += d
	t.guard.queued.Add(d)
}

// Most is how many bytes a session may have queued whose own limit is most.
func (g *Guard) Most(most int) int {
	if !g.crowded() {
		return most
	}
	return min(most, Crowded)
}

func (g *Guard) crowded() bool {
	most := g.limits.Load().QueueBytes
	return most > 0 && g.queued.Load() > most
}

// Full counts a frame that a session had no room for. It is the node's doing only while that is crowded.
func (g *Guard) Full() {
	if g.crowded() {
		g.count(QueueBytes)
	}
}

// Queued is how many bytes are queued in all sessions, within some thousand for each.
func (g *Guard) Queued() int64 { return g.queued.Load() }
