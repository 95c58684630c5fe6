// Package archtest holds what concerns the repository as a whole, as tests: the direction of
// dependencies (which folder may import which, what of other modules stays where, and why) and that
// the documents name only what is there. There is no code to call; rules_test.go is the list of
// directions, and the place to argue about a new arrow.
package archtest
