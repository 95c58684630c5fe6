package conf

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestLiveKeysAreDocumented: whoever reads the table knows what waits for a restart.
func TestLiveKeysAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	marks := map[effect]string{atOnce: "*Live.* ", upToStart: "*Live, up to its value at start.* ", ifSwapped: "*Live, of plugins that take new keys.* "}
	left := map[string]bool{}
	for name := range live {
		left[name] = true
	}
	eachKey((&Config{}).ProtoReflect().Descriptor(), "", func(path string, fd protoreflect.FieldDescriptor) {
		delete(left, string(fd.FullName()))
		e := liveness(fd)
		_, line, _ := strings.Cut(string(text), "\n| `"+path+"` |")
		line, _, _ = strings.Cut(line, "\n")
		cells := strings.Split(line, " | ")
		meaning := cells[len(cells)-1]
		if e == afterRestart && strings.HasPrefix(meaning, "*Live") || !strings.HasPrefix(meaning, marks[e]) {
			t.Errorf("docs/configuration.md: the meaning of %s begins with %.40q; it should with %q", path, meaning, marks[e])
		}
		if strings.Contains(path, "[]") && !strings.HasPrefix(path, "plugins[]") && e != afterRestart {
			t.Errorf("%s is live, and keys of a list are compared with their list", path)
		}
		if s := shapeOf(fd); e == upToStart && s != shapeCount && s != shapeSize {
			t.Errorf("%s is a %s, and only numbers are live up to a value", path, s)
		}
	})
	for name := range left {
		t.Errorf("%s is live and not in the schema", name)
	}
}

// other returns another valid value of a key, larger or smaller where that makes a difference.
func other(v Value, larger bool) string {
	switch v.kind {
	case shapeBool:
		return map[string]string{"true": "false", "false": "true"}[v.Text]
	case shapeText:
		return v.Text + "x"
	case shapeDuration:
		return map[bool]string{true: "61s", false: "17s"}[larger]
	case shapeSize:
		return map[bool]string{true: "2MiB", false: "1KiB"}[larger]
	}
	return map[bool]string{true: "20001", false: "2"}[larger]
}

// TestEveryKeyIsLiveOrWaits changes each key by itself.
func TestEveryKeyIsLiveOrWaits(t *testing.T) {
	t.Parallel()
	started := mustLoad(t, "", nil)
	for _, v := range (&Merged{Config: started}).Values() {
		if v.Text == "[]" {
			continue
		}
		for _, larger := range []bool{true, false} {
			l := loader{}
			next := mustLoad(t, "", nil)
			section, fd := reach(next.ProtoReflect(), v.Path)
			changed := value{text: other(v, larger), literal: true}
			if v.kind == shapeWords {
				changed.words = []value{{text: "other", literal: true}}
			}
			l.set(section, fd, changed, v.Path)
			if len(l.problems) > 0 {
				t.Fatalf("%s: %v", v.Path, l.problems)
			}
			running, changes := blend(started, started, next, nil)
			want := liveness(fd) == atOnce || liveness(fd) == upToStart && !larger
			if len(changes) != 1 || changes[0].Path != v.Path || changes[0].Live != want {
				t.Errorf("%s: %+v, want it alone with live %v", v.Path, changes, want)
				continue
			}
			ran, _ := reach(running.ProtoReflect(), v.Path)
			if applied := ran.Get(fd).Equal(section.Get(fd)); applied != want {
				t.Errorf("%s: applied %v, want %v", v.Path, applied, want)
			}
		}
	}
}

// TestChangesHideSecrets, those in lists included.
func TestChangesHideSecrets(t *testing.T) {
	t.Parallel()
	const keys = "auth: {mode: jwt, service_token: %s-0123456789abcdef, jwt: {keys: [{algorithm: HS256, secret: %s-0123456789abcdef0123456789abcdef}]}}"
	before := mustLoad(t, strings.ReplaceAll(keys, "%s", "hush"), nil)
	after := mustLoad(t, strings.ReplaceAll(keys, "%s", "still"), nil)
	_, changes := blend(before, before, after, nil)
	want := map[string][2]string{
		"auth.service_token": {Hidden, Hidden},
		"auth.jwt.keys":      {"1 entry", "1 entry, not the same"},
	}
	if len(changes) != len(want) {
		t.Errorf("changes %+v", changes)
	}
	for _, c := range changes {
		if got := [2]string{c.Old, c.New}; got != want[c.Path] {
			t.Errorf("%s: %q, want %q", c.Path, got, want[c.Path])
		}
	}
}
