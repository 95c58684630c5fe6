// Package kafkaexport tests a node that exports to Kafka as its users see it. What the plugin does when Kafka is away is
// tested beside it.
package kafkaexport
