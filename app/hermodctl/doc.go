// Package hermodctl is Hermod's command line: a client of a running node, for people and scripts.
//
// Every command stands in a file of its own and in the list in commands.go. Commands write what
// they were asked for to stdout and everything else to stderr. The exit code is 0 on success, 1
// when the command failed, and 2 when it was not understood.
package hermodctl
