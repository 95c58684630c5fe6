// Package cluster measures what it costs to be many: the same load on one node and on three, per CPU-second of the nodes.
//
//	HERMOD_BENCH_CLUSTER=5s go test -count=1 -v -run '^TestCost$' ./test/bench/cluster
//
// which is what `make bench-cluster` does. 100 rooms of 10, stored in PostgreSQL, whose members are spread over the nodes;
// nodes and clients share the machine, and of clients nothing is counted. What the database and the engine use is told
// beside. It needs Linux, PostgreSQL and Redis.
package cluster
