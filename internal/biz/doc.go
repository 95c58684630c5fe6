// Package biz holds Hermod's rules: who may join, send and push, what a room accepts, what is
// kept for whom. It knows no transport, no wire format and no database; what it needs of them is
// an interface declared beside the rule that needs it.
//
// Everything here is safe for concurrent use. Errors are *Error values, whose Kind the edges of
// the program translate into their own codes.
package biz
