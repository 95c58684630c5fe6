// Package webhook delivers what is stored in rooms to HTTP endpoints, at least once and in the order of each room.
//
// A Team has a Courier for each webhook of the configuration. Of all nodes on a database one delivers a webhook: it
// holds a lease, and nothing that it sends outlives that. What it delivers from is the log of each room; the store keeps
// how far each is delivered. So nothing is written beside a message, and all that memory holds is which rooms have
// something: a node that is killed takes nothing with it but that it has sent something already.
//
// One goroutine of a Courier owns all that is known of rooms, and has others read, send and note for it, each a part of
// some rooms that is its own until it has answered. A room whose turn failed waits for its own time and no other; when
// it is the endpoint that is out of reach, one request at a time finds out whether it is back.
package webhook
