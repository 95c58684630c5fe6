//go:build race

package websocket_test

// raceEnabled makes the long tests short: the race detector slows them down tenfold.
const raceEnabled = true
