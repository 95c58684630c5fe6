// Package datatest holds the conformance suites of the store: what biz expects of its repositories,
// whatever database is behind them. Each suite needs nothing but the interface it tests and those
// needed to set the scene.
//
//	func TestConformance(t *testing.T) { datatest.Run(t, open) }
//
// Subtests run in parallel, each on a store of its own.
package datatest
