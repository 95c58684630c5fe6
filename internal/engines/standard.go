// Package engines has the brokers that are shipped, as plugins: nats, with servers of one's own or within the
// nodes, and redis. They connect nodes by the buses of internal/realtime/broker, and are used once a bus is
// opened; what that has started in the process ends with Stop.
package engines

import "github.com/game-im/hermod/plugin"

// Standard returns the brokers that are shipped: nats and redis.
func Standard() []plugin.Plugin { return []plugin.Plugin{newNATS(), &redis{}} }
