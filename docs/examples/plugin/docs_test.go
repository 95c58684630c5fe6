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

var shipped = regexp.MustCompile("(?s)```yaml\n(plugins:\n[^`]*name: (?:webhook|flood-guard)\n.*?)```\n")

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWhatIsShipped runs a node with what docs/plugins.md configures for plugins that are shipped.
func TestWhatIsShipped(t *testing.T) {
	blocks := shipped.FindAllStringSubmatch(document(t), -1)
	if len(blocks) != 2 {
		t.Fatalf("the document configures %d of them, and 2 are run here", len(blocks))
	}
	for _, block := range blocks {
		t.Chdir(t.TempDir())
		n := nodetest.NodeWith(t, block[1])
		calls := imv1.NewIMServiceClient(n.Dial(n.IM))
		if _, err := calls.JoinRoom(nodetest.As(t.Context(), "alice", nil), &imv1.JoinRoomRequest{RoomId: "lobby"}); err != nil {
			t.Error(err)
		}
		n.Stop()
	}
	line, err := os.ReadFile(filepath.Join("audit", "hermod.jsonl"))
	if err != nil || !strings.Contains(string(line), "alice") {
		t.Errorf("the audit log says %q, %v", line, err)
	}
}

// TestConfiguration runs a node with what docs/plugins.md configures: the word filter first, then quiet.
func TestConfiguration(t *testing.T) {
	block := configured.FindStringSubmatch(document(t))
	if block == nil {
		t.Fatal("the document configures nothing")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("words.txt", []byte("darn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := nodetest.NodeWith(t, block[1], NewQuiet(slog.New(slog.DiscardHandler)))
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
