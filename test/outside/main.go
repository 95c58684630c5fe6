// A node with a transport and an authenticator that are not Hermod's: what a team builds that depends on
// Hermod like on any other module.
package main

import (
	"github.com/game-im/hermod/app/hermod"

	"example.com/outside/socket"
	"example.com/outside/tickets"
)

func main() { hermod.Main(append(hermod.Standard(), socket.New(), tickets.New())...) }
