package biz

import "context"

// Deliverer carries what the rules have decided to the sessions it concerns. Its methods do not
// block on slow clients and do not fail: a session that cannot keep up is the deliverer's
// business.
type Deliverer interface {
	// Deliver fans a message out to the room. The messages of one room are delivered one after
	// another, in order of seq.
	Deliver(d *Draft)
	// Joined lets the user's sessions follow the room, unless j.Opening is set, and tells the other
	// members if the membership is new.
	Joined(j JoinResult)
	// Left ends the subscriptions of the user's sessions and tells the remaining members.
	Left(room RoomID, user UserID)
}

// Gatherer is a Deliverer that takes at once what was stored together, which costs less for each receiver.
type Gatherer interface {
	// DeliverAll does what Deliver does, for messages of one room in the order of their seq.
	DeliverAll(ds []*Draft)
}

// Sequencer is a Deliverer that gives what is said in rooms that keep nothing one order, on all nodes.
type Sequencer interface {
	// Sequence fans a message out as Deliver does, at the place in its room that it is given. done is called
	// once, possibly before Sequence returns: KindUnavailable tells that the message may not have been taken.
	Sequence(d *Draft, done func(error))
}

// Presence tells who has a session now, on any node.
type Presence interface {
	// Online returns those of users who are online, in the same order. It may be a second old, and waits a
	// second or two at most: who is online on a node that does not answer is not, nor when ctx ends.
	Online(ctx context.Context, users []UserID) []UserID
}

// Attendance is a Presence that counts who follows rooms.
type Attendance interface {
	// Attending returns how many users have a session that follows a room, of each of the rooms, on all nodes. It
	// waits a second at most for every 50 rooms. Who is on a node that does not answer is not counted; then complete
	// is false. Who is on several nodes is counted once, up to 32,768 users on a node in 50 rooms that are asked
	// about together; in the largest of these, when there are more, he may count once for each of his nodes.
	Attending(ctx context.Context, rooms ...RoomID) (users []int, complete bool)
}

// Usher is a Deliverer for what concerns a room as a whole, or somebody who is not in it.
type Usher interface {
	// Ended takes all sessions off a room that is no more, on all nodes. last is what the room was told of that.
	Ended(last *Message)
	// Dismiss is Left for a user who did not leave by himself. last is what the room was told of that, which he gets
	// however far behind he is.
	Dismiss(user UserID, last *Message)
	// Tell tells the sessions of a user, on all nodes, what has no place in a room that he follows.
	Tell(user UserID, m *Message)
}
