// Package hermod is a Hermod node as a package, so that a node with plugins of one's own is a main
// function of one line:
//
//	func main() { hermod.Main(mine.Plugin) }
package hermod
