// Package exports tests nodes that export to NATS JetStream and to Kafka as their users see it. What the plugins do when
// those are away is tested beside them.
package exports
