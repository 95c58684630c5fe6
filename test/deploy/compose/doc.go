// Package compose holds deploy/compose against the Compose specification and the files that it
// names, and starts its node as far as that is possible without an engine.
package compose
