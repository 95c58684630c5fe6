// Package cluster tests many nodes from outside: real programs on a real database and a real engine, whose nodes are
// killed, restarted and cut off while people talk and services push. Whatever happens, an audit of the whole history
// holds the delivery contract.
//
//	scene    a database, an engine and nodes, each behind networks of its own
//	person   a client of the SDK, who speaks and hears
//	guest    a gateway session, which does the same
//	service  a business service, which pushes
//	audit    what the logs, the answers and the ears must agree on
//
// The tests need PostgreSQL (HERMOD_TEST_DATABASES=1) and, for the engine Redis, HERMOD_TEST_BROKERS=1, as `make race`
// has them; where these are set, a server that is not installed is a failure. They are short; `make endure-cluster` has
// them in full, and `make upgrade-check` those of two versions, by these variables:
//
//	HERMOD_TEST_CHAOS=5m        how long nodes are killed and networks cut
//	HERMOD_TEST_CHAOS_CLIENTS   how many clients there are, in rooms of five
//	HERMOD_TEST_CHAOS_EVERY=10s the time between two kills
//	HERMOD_TEST_ROLLING=50      how many restarts
//	HERMOD_TEST_OLD             a hermod of an older version, whose nodes are replaced one after another
//	HERMOD_TEST_UPGRADE=10s     how long each mix of versions lasts
//	HERMOD_TEST_SEED            what chance begins with, which every run prints
package cluster
