package hermod

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/game-im/hermod/plugin"
)

// TestNewKeysOfAPluginWhileANodeRuns: they hold as soon as the file has changed; those that are wrong change nothing, and the log
// says which they are.
func TestNewKeysOfAPluginWhileANodeRuns(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	list := filepath.Join(t.TempDir(), "words.txt")
	file := filepath.Join(t.TempDir(), "node.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil { // so that nobody reads half of it
			t.Fatal(err)
		}
	}
	with := func(keys string) {
		t.Helper()
		write(file, "plugins:\n  - name: word-filter\n    deadline: 30s\n    config: {words_file: "+list+keys+"}\n  - name: numberer\n    deadline: 30s\n")
	}
	write(list, "darn\n")
	with("")
	p := startWith(t, []plugin.Plugin{&numberer{}}, append(configured(t, ""), "-conf", file)...)
	p.join(t, "alice")
	p.join(t, "bob")
	stream := p.open(t, "bob", "room-id", "r")
	heard := func(said string) string {
		t.Helper()
		p.send(t, "alice", said)
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return string(m.GetContent())
	}
	if got := heard("darning"); got != "darning #1" {
		t.Errorf("heard %q", got)
	}
	has := func(says string) func() bool {
		return func() bool {
			_, metrics := p.get(t, "/metrics")
			return strings.Contains(metrics, says)
		}
	}
	with(", whole_words: false")
	await(t, "new keys", has(`hermod_plugin_changes_total{outcome="applied",plugin="word-filter"} 1`))
	if got := heard("darning"); got != "****ing #2" {
		t.Errorf("heard %q with new keys", got)
	}
	with(", whole_words: true, action: shout")
	await(t, "keys that are wrong", has(`hermod_plugin_outdated{plugin="word-filter"} 1`))
	if got := heard("darning"); got != "****ing #3" {
		t.Errorf("heard %q with keys that are wrong", got)
	}
	if log := p.logs.String(); !strings.Contains(log, `plugins[0].config: action \"shout\" is not known; one of mask, refuse`) {
		t.Errorf("the log does not say what is wrong:\n%s", log)
	}
}
