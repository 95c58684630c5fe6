package hermod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// numberer is a linked plugin: it puts another number behind each text, and hears of what is stored.
type numberer struct {
	calls atomic.Int32
	mu    sync.Mutex
	heard []string
}

func (*numberer) Name() string { return "numberer" }

func (n *numberer) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	if strings.HasPrefix(string(m.Content), "refuse") {
		return m, plugin.Refused("not in this room")
	}
	m.Content = fmt.Appendf(m.Content, " #%d", n.calls.Add(1))
	return m, nil
}

func (n *numberer) ObserveMessage(_ context.Context, m plugin.Message) error {
	n.hear(fmt.Sprint(m.Seq, " ", string(m.Content)))
	return nil
}

func (n *numberer) ObserveRoom(_ context.Context, e plugin.RoomEvent) error {
	n.hear(fmt.Sprint(e.Kind, " ", e.UserID))
	return nil
}

func (n *numberer) hear(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = append(n.heard, what)
}

// TestLinkedPlugins: a node asks them in the order of its configuration, tells a sender why he is
// refused, and has told observers of everything when it has stopped.
func TestLinkedPlugins(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	list := filepath.Join(t.TempDir(), "words.txt")
	if err := os.WriteFile(list, []byte("darn\n敏感词\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &numberer{}
	p := startWith(t, []plugin.Plugin{n}, configured(t, "plugins:", "  - name: word-filter", "    config: {words_file: "+list+"}", "  - name: numberer")...)
	p.join(t, "alice")
	p.join(t, "bob")
	stream := p.open(t, "bob", "room-id", "r")
	p.send(t, "alice", "darn 敏感词!")
	_, err := p.im.SendMessage(as(t, "alice"), &imv1.SendMessageRequest{RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("refuse me")})
	if s := status.Convert(err); s.Code() != codes.PermissionDenied || s.Message() != "not in this room" {
		t.Errorf("got %v", err)
	}
	m, err := stream.Recv()
	if want := "**** " + strings.Repeat("*", 9) + "! #1"; err != nil || string(m.GetContent()) != want {
		t.Errorf("got %q, %v, want %q", m.GetContent(), err, want)
	}
	if _, body := p.get(t, "/metrics"); !strings.Contains(body, `hermod_plugin_calls_total{hook="intercept_message",outcome="refused",plugin="numberer"} 1`) {
		t.Error("the metrics do not tell")
	}
	p.stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	want := []string{"joined alice", "joined bob", "1 **** " + strings.Repeat("*", 9) + "! #1"}
	if !slices.Equal(n.heard, want) {
		t.Errorf("heard %q", n.heard)
	}
}

// TestA2RepetitionOfWhatAPluginChanged: what a client sends again is the same message, though the plugin
// would make another one of it; and another message under its id is a conflict still.
func TestA2RepetitionOfWhatAPluginChanged(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	n := &numberer{}
	p := startWith(t, []plugin.Plugin{n}, configured(t, "plugins: [{name: numberer}]")...)
	p.join(t, "alice")
	say := func(text string) (*imv1.SendMessageResponse, error) {
		return p.im.SendMessage(as(t, "alice"), &imv1.SendMessageRequest{
			RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text), MessageId: "once",
		})
	}
	first, err := say("hi")
	if err != nil {
		t.Fatal(err)
	}
	again, err := say("hi")
	if err != nil || again.GetMessageId() != first.GetMessageId() || again.GetSeq() != first.GetSeq() {
		t.Errorf("got %v, %v, want %v", again, err, first)
	}
	for _, other := range []string{"ho", "hi #1"} {
		if _, err := say(other); status.Code(err) != codes.Aborted {
			t.Errorf("%s: got %v", other, err)
		}
	}
	p.stop()
	if want := []string{"joined alice", "1 hi #1"}; !slices.Equal(n.heard, want) {
		t.Errorf("heard %q", n.heard)
	}
}

func TestPluginsThatCannotBeUsed(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	var names []string
	for _, p := range Standard() {
		names = append(names, p.Name())
	}
	slices.Sort(names)
	for line, says := range map[string]string{
		"plugins: [{name: word-fliter}]":                                   `plugins[0].name: "word-fliter" is not linked into this node; one of ` + strings.Join(names, ", "),
		"plugins: [{name: word-filter}]":                                   "plugins[0].config: words_file is empty",
		"plugins: [{name: word-filter, config: {words: x}}]":               "plugins[0].config.words: no such key; allowed here: action, check_every, reason, whole_words, words_file",
		"plugins: [{name: word-filter, config: {words_file: /nowhere/x}}]": "the plugin word-filter does not start: open /nowhere/x",
	} {
		err := Run(t.Context(), append(configured(t, line), loopback...), io.Discard, io.Discard, Standard()...)
		var problems conf.Problems
		if err == nil || !strings.Contains(err.Error(), says) || errors.As(err, &problems) == strings.Contains(says, "start") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}
