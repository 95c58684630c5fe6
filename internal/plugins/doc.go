// Package plugins is the host of the plugins that configuration names in its list plugins: it makes
// them ready, and stands between them and the node.
//
// Every call of a plugin goes through its guard, which bounds how long the node waits for it and how
// many run at once, and leaves a plugin alone for a while that fails again and again. A call that hangs
// is given up: what waited for it goes on in the goroutine of its timer, and its own goroutine keeps one
// of the plugin's places until it comes back, so that their number is bounded.
//
// Its locks are leaf locks: none is held while a plugin, the log or a Deliverer is called.
//
// A Host is made before the node serves, and safe for concurrent use from then on. It has one
// goroutine at rest, if there are interceptors. A node without such plugins has a Host that hands on what it is given as it
// is, so that nothing is looked up for them.
package plugins
