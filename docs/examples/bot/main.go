// Command bot answers whoever speaks to it in a room.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	var bot *client.Client
	config := client.DefaultConfig()
	config.UserID = "bot"
	config.DefaultRoomID = "lobby"
	config.Services = []*discovery.ServiceInfo{{Address: "127.0.0.1", Port: 8083}}
	config.MaxRetries = -1 // come back whatever happens
	config.OnMessage = func(m *imv1.MessageResponse) {
		question, asked := strings.CutPrefix(string(m.GetContent()), "bot, ")
		if !asked || m.GetType() != imv1.MessageType_MESSAGE_TYPE_TEXT {
			return
		}
		if err := bot.SendTextMessage(m.GetRoomId(), fmt.Sprintf("%s, you said: %s", m.GetFromUserId(), question)); err != nil {
			log.Print(err)
		}
	}
	config.OnError = func(err error) { log.Print(err) }

	var err error
	if bot, err = client.NewClient(config); err != nil {
		return err
	}
	if err := bot.Connect(); err != nil {
		return err
	}
	log.Print("say \"bot, hello\" in the lobby; Ctrl+C ends me")
	<-ctx.Done()
	return bot.Disconnect()
}
