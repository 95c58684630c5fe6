package cluster

import "github.com/game-im/hermod/plugin"

// Bus is the contract of an engine that carries bytes between nodes, such as NATS. It is that of plugins: one
// that is shipped is called as directly as any other.
type Bus = plugin.Bus

// What a Bus carries, and where it puts what comes.
type (
	Message = plugin.BusMessage
	Sink    = plugin.BusSink
)
