// Command hermod is a node. A node with plugins of one's own is a copy of this file that appends
// them to the list.
package main

import "github.com/game-im/hermod/app/hermod"

func main() { hermod.Main(hermod.Standard()...) }
