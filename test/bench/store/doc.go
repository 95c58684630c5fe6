// Package store measures how fast messages are stored and read again, on each database that a node
// stores in. It consists of tests, since it starts the servers that tests start:
//
//	make bench-store      TestThroughput: storing, beside the raw insertion of the same rows
//	make bench-history    TestHistory: reading from a file of ten million messages
//
// Without their environment variables both run in small, on SQLite, to show that they work. A goal that is
// missed is a result and fails nothing; docs/performance.md has the goals, and what was measured.
package store
