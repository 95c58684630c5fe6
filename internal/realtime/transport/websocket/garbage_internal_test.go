//go:build !race

package websocket

import (
	"testing"

	"github.com/gobwas/ws"
)

// Pools forget on purpose under the race detector, so that these would fail there.

func TestAWriteMakesNoGarbage(t *testing.T) {
	c, client := pair(t)
	go drain(client)
	out := outgoing(t, 50)
	n := testing.AllocsPerRun(1000, func() {
		if err := c.Write(out); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for each write", n)
	}
}

func TestAReadMakesTheMessageAlone(t *testing.T) {
	c, client := pair(t)
	sent := ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame([]byte("a heartbeat"))))
	n := testing.AllocsPerRun(1000, func() {
		if _, err := client.Write(sent); err != nil {
			t.Fatal(err)
		}
		if data, err := c.Read(); err != nil || len(data) != 11 {
			t.Fatal(len(data), err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations for each message", n)
	}
	if !c.in.empty() || c.in.box != nil {
		t.Error("a buffer is held by a connection at rest")
	}
}
