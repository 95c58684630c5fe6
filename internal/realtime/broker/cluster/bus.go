package cluster

import "github.com/game-im/hermod/plugin"

// The contract of an engine that carries bytes between nodes, such as NATS, is that of plugins: one that
// is shipped is called as directly as any other.
type (
	Bus     = plugin.Bus
	Message = plugin.BusMessage
	Sink    = plugin.BusSink
)
