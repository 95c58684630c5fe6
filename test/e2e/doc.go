// Package e2e tests a node from outside, as its users see it: the programs are built once, every
// test starts nodes of its own as processes, and everything goes over the wire. It imports nothing
// of the server.
//
// A Node is one hermod process and may be killed and started again on the same data and ports; a
// Stream is a client of the im.v1 stream that hides nothing; a proxy stands between the two and
// breaks connections. They belong to the test that made them and fail it when what it waits for
// does not come within patience; methods that do so are for the test's own goroutine.
//
// Tests that load the machine run one after another, all others in parallel once those are done.
// -short makes the largest smaller.
package e2e
