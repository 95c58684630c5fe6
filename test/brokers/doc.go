// Package brokers starts the servers that tests have nodes talk through: real ones, on the loopback, that go
// with the test.
//
//	StartNATS          nats-server, within the test's process
//	StartRedis         Redis (Debian: redis-server), a process
//	StartRedisCluster  three of them as a Redis Cluster, for sharded channels
//
// Tests that need Redis are skipped unless HERMOD_TEST_BROKERS is set, as `make race` and `make check` do;
// where it is, a server that is not installed is a failure.
//
// What is started belongs to the test that did: its methods are for that test's goroutine and fail the test
// when a server does not do what it should.
package brokers
