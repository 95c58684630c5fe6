// Command own is a client that finds the nodes in Nacos and has connections of its own to them: it
// follows the nodes that come and go, and ends when it has got back what it said.
//
//	NACOS=127.0.0.1:8848 go run ./own alice
package main

import (
	"log"
	"os"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
)

func main() {
	nacos, err := discovery.NewNacosDiscovery([]string{os.Getenv("NACOS")})
	if err != nil {
		log.Fatal(err)
	}
	defer nacos.Close()

	config := client.DefaultConfig()
	config.UserID = os.Args[1]
	config.DefaultRoomID = "lobby"
	config.Discovery = nacos
	config.OnConnect = func() { log.Print("connected") }
	config.OnMessage = func(m *imv1.MessageResponse) { log.Printf("%s: %s", m.GetFromUserId(), m.GetContent()) }

	im, err := client.NewClient(config)
	if err != nil {
		log.Fatal(err)
	}
	if err := im.Connect(); err != nil {
		log.Fatal(err)
	}
	defer im.Disconnect()
	if err := im.SendTextMessage("lobby", "hello with connections of my own"); err != nil {
		log.Fatal(err)
	}
	log.Print("sent")
}
