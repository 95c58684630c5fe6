// Package tail shows what was said in a room, or in all rooms of a user, and follows it.
//
// It reads the log with calls and opens no session: nobody becomes a member or appears online, no cursor
// moves and nothing is acknowledged on anybody's behalf. What it shows of a room is in order, without a
// hole that it does not tell of, and never twice; rooms are merged by time.
//
// A tail is used by one goroutine.
package tail
