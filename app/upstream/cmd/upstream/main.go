// The command upstream is a sample business service. See package sample.
package main

import "github.com/game-im/hermod/app/upstream"

func main() { sample.Main() }
