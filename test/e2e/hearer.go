package e2e

import (
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
)

// hearer is a program with the SDK that listens in a room, whatever becomes of the node.
type hearer struct {
	user, room string

	mu    sync.Mutex
	heard []heard // in the order in which the program was given it
}

// heard is one message of a room.
type heard struct {
	seq     int64
	content string
}

// listen connects a hearer, who is a member from then on, until the test ends.
func (n *Node) listen(user, room string) *hearer {
	n.t.Helper()
	h := &hearer{user: user, room: room}
	c, err := client.NewClient(&client.Config{
		UserID: user, DefaultRoomID: room, Services: []*discovery.ServiceInfo{{Address: n.IM}},
		MaxRetries: -1, Backoff: func(int) time.Duration { return 20 * time.Millisecond },
		OnMessage: func(m *imv1.MessageResponse) {
			if m.GetType() == text {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.heard = append(h.heard, heard{m.GetSeq(), string(m.GetContent())})
			}
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := c.Disconnect(); err != nil {
			n.t.Error(err)
		}
	})
	return h
}

// soFar returns what the program was given.
func (h *hearer) soFar() []heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]heard(nil), h.heard...)
}

// expectHeard checks that a program was given a room's log, all of it once and in order.
func expectHeard(t *testing.T, h *hearer, log []heard) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for len(h.soFar()) < len(log) && time.Now().Before(deadline) {
		time.Sleep(pollEvery)
	}
	got := h.soFar()
	for i := range min(len(got), len(log)) {
		if got[i] != log[i] {
			t.Errorf("%s in %s: place %d is %v, want %v", h.user, h.room, i+1, got[i], log[i])
			return
		}
	}
	if len(got) != len(log) {
		t.Errorf("%s in %s heard %d messages, want %d", h.user, h.room, len(got), len(log))
	}
}
