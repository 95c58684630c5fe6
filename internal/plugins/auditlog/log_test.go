package auditlog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

// started returns a log with these keys, and what reads the lines that it has written.
func started(t *testing.T, set func(*Keys)) (l *Log, lines func() []map[string]any) {
	t.Helper()
	l = New()
	l.keys.File = filepath.Join(t.TempDir(), "deep", "audit.jsonl")
	set(&l.keys)
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return l, func() (all []map[string]any) {
		text, err := os.ReadFile(l.keys.File)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			one := map[string]any{}
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, one)
		}
		return all
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	plugintest.Plugin(t, func() plugin.Plugin { return New() })
	l, _ := started(t, func(k *Keys) { k.Content = true })
	plugintest.MessageObserver(t, l)
	plugintest.RoomObserver(t, l)
	plugintest.SessionObserver(t, l)
	plugintest.RefusalObserver(t, l)
}

// TestWhatIsWritten: who did what and when, and nothing of what was said unless that is wanted.
func TestWhatIsWritten(t *testing.T) {
	t.Parallel()
	for _, content := range []bool{false, true} {
		l, lines := started(t, func(k *Keys) { k.Content = content })
		at := time.Unix(1e9, 0).UTC()
		for _, err := range []error{
			l.ObserveSession(t.Context(), plugin.SessionEvent{Kind: plugin.Ended, SessionID: "s", UserID: "alice", Protocol: "im", Transport: "quic", Address: "[::1]:9", Code: 4001, Reason: "kicked", Time: at}),
			l.ObserveRoom(t.Context(), plugin.RoomEvent{Kind: plugin.Joined, RoomID: "r", UserID: "bob", Role: "admin", Time: at}),
			l.ObserveMessage(t.Context(), plugin.Message{ID: "m", RoomID: "r", Seq: 7, UserID: "bob", Type: plugin.Text, Content: []byte("secret"), Time: at}),
			l.ObserveMessage(t.Context(), plugin.Message{ID: "n", RoomID: "r", Seq: 8, UserID: "bob", Type: plugin.Recording, Content: []byte{0xff}, Time: at}),
			l.ObserveRefusal(t.Context(), plugin.Refusal{
				Plugin: "word-filter", Reason: "no", Access: plugin.Access{Kind: plugin.Send, By: "bob", RoomID: "r", UserID: "bob"},
				Message: plugin.Message{Type: plugin.Text, Content: []byte("hidden")}, Time: at,
			}),
			l.ObserveRefusal(t.Context(), plugin.Refusal{Plugin: "guard", Access: plugin.Access{Kind: plugin.Push, Subject: "shop", Target: plugin.Target{Kind: plugin.User, ID: "eve"}}}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		got := lines()
		if len(got) != 6 {
			t.Fatalf("wrote %v", got)
		}
		for i, want := range []map[string]any{
			{"event": "session ended", "user": "alice", "code": 4001.0, "reason": "kicked", "transport": "quic", "address": "[::1]:9", "time": "2001-09-09T01:46:40Z"},
			{"event": "room joined", "room": "r", "user": "bob", "role": "admin"},
			{"event": "message", "room": "r", "user": "bob", "seq": 7.0, "type": "text", "bytes": 6.0},
			{"event": "message", "type": "recording", "bytes": 1.0},
			{"event": "refused send", "plugin": "word-filter", "reason": "no", "by": "bob", "room": "r", "user": "bob", "type": "text", "bytes": 6.0, "time": "2001-09-09T01:46:40Z"},
			{"event": "refused push", "plugin": "guard", "service": "shop", "target": "user", "target_id": "eve"},
		} {
			for key, value := range want {
				if got[i][key] != value {
					t.Errorf("line %d: %s is %v, want %v", i, key, got[i][key], value)
				}
			}
		}
		if said, ok := got[2]["content"]; ok != content || ok && said != "secret" || (got[3]["content_base64"] == "/w==") != content {
			t.Errorf("content %t: wrote %v and %v", content, got[2], got[3])
		}
		if said, ok := got[4]["content"]; ok != content || ok && said != "hidden" {
			t.Errorf("content %t: wrote %v", content, got[4])
		}
	}
}

// TestOnlyWhatIsWanted is written.
func TestOnlyWhatIsWanted(t *testing.T) {
	t.Parallel()
	l, lines := started(t, func(k *Keys) { k.Events = []string{"room"} })
	if l.ObserveMessage(t.Context(), plugin.Message{}) != nil || l.ObserveRoom(t.Context(), plugin.RoomEvent{Kind: plugin.Left}) != nil {
		t.Error("it fails")
	}
	if got := lines(); len(got) != 1 || got[0]["event"] != "room left" {
		t.Errorf("wrote %v", got)
	}
}

// TestRotation: a file that is full is put aside, and no line is lost or torn.
func TestRotation(t *testing.T) {
	t.Parallel()
	l, lines := started(t, func(k *Keys) { k.MaxMiB, k.Content = 1, true })
	const each = 100_000
	for range 15 {
		if err := l.ObserveMessage(t.Context(), plugin.Message{Type: plugin.Text, Content: []byte(strings.Repeat("x", each))}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(l.keys.File), "audit*.jsonl"))
	if err != nil || len(files) != 2 {
		t.Fatalf("there are %q, %v", files, err)
	}
	n := len(lines())
	for _, f := range files {
		if f != l.keys.File {
			l.keys.File = f
			n += len(lines())
			break
		}
	}
	if n != 15 {
		t.Errorf("%d lines", n)
	}
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	for says, set := range map[string]func(*Keys){
		"file is empty":              func(k *Keys) { k.File = "" },
		"max_mib is 0":               func(k *Keys) { k.MaxMiB = 0 },
		"max_files is 0":             func(k *Keys) { k.MaxFiles = 0 },
		"max_days is -1":             func(k *Keys) { k.MaxDays = -1 },
		`events[0] is "login"; mess`: func(k *Keys) { k.Events = []string{"login"} },
	} {
		l := New()
		l.keys.File = "x"
		set(&l.keys)
		if err := l.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}

// TestAFileThatCannotBeWritten is found out when the node starts.
func TestAFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	l := New()
	l.keys.File = t.TempDir() // a folder
	if err := l.Start(t.Context()); err == nil {
		t.Error("it starts")
	}
}

// TestRenewedValuesShareTheirFile: two that rotate it would not know of each other.
func TestRenewedValuesShareTheirFile(t *testing.T) {
	t.Parallel()
	l, lines := started(t, func(*Keys) {})
	next, ok := l.Renew().(*Log)
	if !ok {
		t.Fatal("it is no Log")
	}
	next.keys.File, next.keys.Content = l.keys.File, true
	if err := next.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(l.files.open) != 1 {
		t.Errorf("%d files are open", len(l.files.open))
	}
	for i, err := range []error{
		l.ObserveMessage(t.Context(), plugin.Message{ID: "a", Content: []byte("x")}),
		next.ObserveMessage(t.Context(), plugin.Message{ID: "b", Content: []byte("x")}),
		next.Stop(t.Context()),
		l.ObserveMessage(t.Context(), plugin.Message{ID: "c", Content: []byte("x")}),
	} {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	all := lines()
	if len(all) != 3 || all[0]["content"] != nil || all[1]["content"] != "x" || len(l.files.open) != 1 {
		t.Errorf("written: %v", all)
	}
}
