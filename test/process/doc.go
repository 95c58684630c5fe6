// Package process runs the programs of the repository as tests meet them: built once, each a process of its own that
// listens on the loopback, may be killed, and is started again on the same files and ports.
//
// A Node belongs to the test that made it. Methods that wait fail that test when what they wait for does not come, and
// are for its own goroutine; Ready, Page and Log are for any.
package process
