// Package natsexport tests a node that exports to NATS JetStream as its users see it. What the plugin does when NATS is
// away is tested beside it.
package natsexport
