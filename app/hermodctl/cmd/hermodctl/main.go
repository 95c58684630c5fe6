// The command hermodctl talks to a Hermod node. See package hermodctl.
package main

import (
	"os"

	"github.com/game-im/hermod/app/hermodctl"
)

func main() {
	os.Exit(hermodctl.Main(os.Args[1:]))
}
