// Command injected is a client that is given a connection: that of the program's own Nacos SDK, which
// finds the nodes and may be shared by any number of clients and other services.
//
//	NACOS=127.0.0.1:8848 go run ./injected alice
package main

import (
	"log"
	"os"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/docs/examples/im-nacos/nacos_sdk"
	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/grpc"
)

func newIMServiceClient(conn *grpc.ClientConn) imv1.IMServiceClient {
	return imv1.NewIMServiceClient(conn)
}

func main() {
	stub, err := nacos_sdk.GetGRPCClient("im-service", "DEFAULT_GROUP", newIMServiceClient)
	if err != nil {
		log.Fatal(err)
	}
	im, err := client.NewClientWithGRPCAndConfig(stub, &client.Config{
		UserID: os.Args[1], DefaultRoomID: "lobby",
		OnConnect: func() { log.Print("connected") },
		OnMessage: func(m *imv1.MessageResponse) { log.Printf("%s: %s", m.GetFromUserId(), m.GetContent()) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := im.Connect(); err != nil {
		log.Fatal(err)
	}
	defer im.Disconnect()
	if err := im.SendTextMessage("lobby", "hello over a connection that I was given"); err != nil {
		log.Fatal(err)
	}
	log.Print("sent")
}
