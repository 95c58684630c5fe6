// Package outbox tests sdk/outbox as services use it: on real databases, against a real node, with the service killed in the
// middle. What a service's process does is in shop_test.go.
package outbox
