package cluster

import "github.com/game-im/hermod/plugin"

// Bus is the contract of an engine that carries bytes between nodes, such as NATS. It is that of plugins: one
// that is shipped is called as directly as any other.
type Bus = plugin.Bus

// Message is what a Bus carries.
type Message = plugin.BusMessage

// Sink is where a Bus puts what comes.
type Sink = plugin.BusSink
