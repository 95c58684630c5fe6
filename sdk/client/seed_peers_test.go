package client_test

import (
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// person is somebody else in a room, who sees what the blocks do.
type person struct {
	*client.Client
	t     *testing.T
	room  string
	heard chan *imv1.MessageResponse
}

// connect has user join room and listen there until the test ends.
func connect(t *testing.T, user, room string) *person {
	t.Helper()
	p := &person{t: t, room: room, heard: make(chan *imv1.MessageResponse, 256)}
	var err error
	p.Client, err = client.NewClientWithGRPCAndConfig(newImServiceClient(dial(t, client.StartNode(t))), &client.Config{
		UserID: user, DefaultRoomID: room, OnMessage: func(m *imv1.MessageResponse) { p.heard <- m },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Disconnect() })
	return p
}

// await returns the next message with this content.
func (p *person) await(content string) *imv1.MessageResponse {
	p.t.Helper()
	for {
		if m := receive(p.t, p.heard); string(m.GetContent()) == content {
			return m
		}
	}
}

func (p *person) say(content string) {
	p.t.Helper()
	if err := p.SendTextMessage(p.room, content); err != nil {
		p.t.Error(err)
	}
}

// answer waits for one message and says another one.
func (p *person) answer(content, answer string) {
	p.await(content)
	p.say(answer)
}

// member makes user a member of room.
func member(t *testing.T, user, room string) {
	t.Helper()
	c, err := client.NewClientWithGRPC(newImServiceClient(dial(t, client.StartNode(t))), user)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect()
	if _, err := c.JoinRoom(room, nil); err != nil {
		t.Fatal(err)
	}
}
