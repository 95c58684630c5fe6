// Package plugin is what a Hermod node can be extended by: small interfaces, each a
// capability. A plugin is a Go value that implements Plugin and the capabilities that it has; a
// node is given its plugins where it is started, hermod.Main(append(hermod.Standard(), mine)...), and
// configuration chooses among them by name. What is shipped is in the list Standard, and has no other door.
//
// A plugin is made once, before the node serves, unless it is Renewable, and called by many goroutines at once for as long
// as the node lives: its methods must be safe for concurrent use. A panic in a plugin is a fault of
// the node, unless its capability says otherwise.
package plugin

// Plugin is what all plugins are.
type Plugin interface {
	// Name is the word that configuration chooses the plugin by: lower case letters, digits and
	// dashes, always the same, and of no other plugin of the same capability.
	Name() string
}
