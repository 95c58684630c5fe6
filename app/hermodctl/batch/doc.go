// Package batch pushes to the targets of a file: it reads records, gathers those that say the same into
// calls, makes several calls at a time and counts what became of every target.
package batch
