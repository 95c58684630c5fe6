package frame

// Publication is one item delivered on a channel. It is not modified after it was published.
type Publication struct {
	Channel string
	// Seq is the item's place in the channel's log, from 1 without holes; 0 for what is not kept.
	Seq int64
	// Turn is the place of an item that is not kept, on a channel of several nodes; the zero Turn is none.
	Turn Turn
	// ID is by what the node knows an item that it had another one number; empty: it did not.
	ID string
	// Frame is what subscribers get. Nil tells only that the log now reaches Seq.
	Frame *Frame
	// Bytes is about what it takes in memory; 0: little. What waits for its turn is bounded by it.
	Bytes int
	// Ephemeral names what is told to those who are there and want events, and is not kept. Of one name a
	// session that is slow gets only the last. It has neither Seq nor Turn. Empty: this is none.
	Ephemeral string
	// AckRequired marks an item that only an explicit ack confirms.
	AckRequired bool

	// From is the user behind it, if that matters: his sessions get Own (or Frame, when Own is
	// nil), or nothing at all when NotToFrom is set.
	From      string
	Own       *Frame
	NotToFrom bool
	// Origin is the session that sent it. It gets Reply, at the item's place in the order, or
	// nothing when Reply is nil or the client did not ask for replies.
	Origin string
	Reply  *Frame
}

// Turn is a place in the order of a channel that keeps nothing: one node at a time numbers what is published on
// it, from 1 without holes. When another one takes over there is another epoch.
type Turn struct {
	Epoch  string
	Number int64
}
