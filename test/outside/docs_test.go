package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/game-im/hermod/plugin/nodetest"

	"example.com/outside/socket"
)

var configured = regexp.MustCompile("(?s)```yaml\n(plugins:\n[^`]*name: socket\n.*?)```\n")

// TestConfiguration runs a node with what docs/plugins.md configures for the socket.
func TestConfiguration(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := configured.FindSubmatch(text)
	if block == nil {
		t.Fatal("the document configures nothing")
	}
	t.Chdir(t.TempDir())
	nodetest.NodeWith(t, string(block[1]), socket.New())
	conn, err := net.Dial("unix", "hermod.sock")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
