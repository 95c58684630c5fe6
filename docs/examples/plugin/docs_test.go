package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin/nodetest"
)

var configured = regexp.MustCompile("(?s)```yaml\n(plugins:\n[^`]*name: quiet\n.*?)```\n")

// TestConfiguration runs a node with what docs/plugins.md configures: the word filter first, then quiet.
func TestConfiguration(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := configured.FindSubmatch(text)
	if block == nil {
		t.Fatal("the document configures nothing")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("words.txt", []byte("darn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := nodetest.NodeWith(t, string(block[1]), NewQuiet(slog.New(slog.DiscardHandler)))
	calls := imv1.NewIMServiceClient(n.Dial(n.IM))
	ctx, cancel := context.WithTimeout(nodetest.As(t.Context(), "alice", nil), time.Minute)
	defer cancel()
	if _, err := calls.JoinRoom(ctx, &imv1.JoinRoomRequest{RoomId: "lobby"}); err != nil {
		t.Fatal(err)
	}
	for text, refusal := range map[string]string{
		"darn it": "", "DARN" + strings.Repeat("!", 20): "", strings.Repeat("A", 21): "please do not shout",
	} {
		_, err := calls.SendMessage(ctx, &imv1.SendMessageRequest{RoomId: "lobby", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text)})
		if got := status.Convert(err).Message(); got != refusal {
			t.Errorf("%q: %q, want %q", text, got, refusal)
		}
	}
	page, err := calls.History(ctx, &imv1.HistoryRequest{RoomId: "lobby"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.GetMessages() {
		if strings.Contains(strings.ToLower(string(m.GetContent())), "darn") {
			t.Errorf("stored %q", m.GetContent())
		}
	}
}
