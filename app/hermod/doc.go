// Package hermod is a Hermod node as a package, so that a node with plugins of one's own is a main
// function of one line:
//
//	func main() { hermod.Main(append(hermod.Standard(), mine.Plugin)...) }
//
// A node has the plugins that it is given and no others: what is shipped, such as the authenticator jwt
// and the store of recordings dir, is in Standard, and comes in as what is yours does.
package hermod
