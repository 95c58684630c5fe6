package conf

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/game-im/hermod/configs"
)

// eachKey calls f for every scalar of the schema, and for every list.
func eachKey(md protoreflect.MessageDescriptor, path string, f func(path string, fd protoreflect.FieldDescriptor)) {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		at := join(path, string(fd.Name()))
		switch shapeOf(fd) {
		case shapeSection:
			eachKey(fd.Message(), at, f)
		case shapeList:
			f(at, fd)
			eachKey(fd.Message(), at+"[]", f)
		default:
			f(at, fd)
		}
	}
}

// row is what docs/configuration.md says of a key, apart from its meaning.
func row(path string, fd protoreflect.FieldDescriptor, values layer) string {
	cell := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	text := ""
	switch v, ok := values[path]; {
	case ok && shapeOf(fd) == shapeList:
		text = "[]"
	case ok && shapeOf(fd) == shapeWords:
		words := make([]string, len(v.words))
		for i, w := range v.words {
			words[i] = w.text
		}
		text = "[" + strings.Join(words, ", ") + "]"
	case ok:
		text, _, _ = expand(v.text, func(string) (string, bool) { return "", false })
		if text == "" {
			text = `""`
		}
	}
	allowed := ""
	if l, ok := limits[string(fd.FullName())]; ok {
		allowed = l.String()
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", cell(path), shapeOf(fd), cell(text), allowed)
}

func defaultLayer(t *testing.T) layer {
	t.Helper()
	var ps Problems
	p := parser{source: "defaults", problems: &ps}
	values := p.parse([]byte(configs.Defaults), (&Config{}).ProtoReflect().Descriptor())
	if err := ps.err(); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, _, found := strings.Cut(strings.TrimPrefix(line, "| `"), "`"); found && strings.HasPrefix(line, "| `") {
			rows[key] = strings.TrimSpace(line)
		}
	}
	values := defaultLayer(t)
	eachKey((&Config{}).ProtoReflect().Descriptor(), "", func(path string, fd protoreflect.FieldDescriptor) {
		want := row(path, fd, values)
		if got := rows[path]; !strings.HasPrefix(got, want) || len(got) < len(want)+10 {
			t.Errorf("docs/configuration.md has for %s\n  %s\nit should be, with the meaning after it,\n  %s", path, got, want)
		}
		delete(rows, path)
	})
	for path := range rows {
		if strings.Contains(path, ".") {
			t.Errorf("docs/configuration.md describes %s, which is no key", path)
		}
	}
}

func TestEveryKeyIsInTheDefaults(t *testing.T) {
	t.Parallel()
	values := defaultLayer(t)
	eachKey((&Config{}).ProtoReflect().Descriptor(), "", func(path string, fd protoreflect.FieldDescriptor) {
		if _, ok := values[path]; ok {
			return
		}
		// The keys of a list have no default; an example in a comment shows them.
		shown := slices.ContainsFunc(strings.Split(configs.Defaults, "\n"), func(line string) bool {
			return strings.HasPrefix(strings.TrimLeft(line, "# -"), string(fd.Name())+":")
		})
		if !strings.Contains(path, "[]") || !shown {
			t.Errorf("configs/hermod.yaml lacks %s", path)
		}
	})
}

func TestEveryNumberHasALimit(t *testing.T) {
	t.Parallel()
	left := map[string]bool{}
	for name := range limits {
		left[name] = true
	}
	eachKey((&Config{}).ProtoReflect().Descriptor(), "", func(path string, fd protoreflect.FieldDescriptor) {
		name := string(fd.FullName())
		l, ok := limits[name]
		delete(left, name)
		switch s := shapeOf(fd); {
		case ok && l.shape != s:
			t.Errorf("%s is a %s and has the limit of a %s", path, s, l.shape)
		case !ok && (s == shapeCount || s == shapeSize || s == shapeDuration || s == shapeShare):
			t.Errorf("%s has no limit", path)
		}
	})
	for name := range left {
		t.Errorf("%s is limited and not in the schema", name)
	}
}

// The comment above each key in configs/hermod.yaml tells its range; it must be the real one.
func TestLimitsInTheDefaultsAreTheRealOnes(t *testing.T) {
	t.Parallel()
	comments := strings.Join(strings.Fields(strings.ReplaceAll(configs.Defaults, "#", " ")), " ")
	for name, l := range limits {
		if l.words != nil {
			continue
		}
		said := l.String()
		if l.min == 0 {
			said = " to " + format(l.shape, l.max) // "0s (never) to 24h"
		}
		if !strings.Contains(comments, said) {
			t.Errorf("configs/hermod.yaml does not say %q, the limit of %s", said, name)
		}
	}
}

func TestSchemaKeepsItsConventions(t *testing.T) {
	t.Parallel()
	eachKey((&Config{}).ProtoReflect().Descriptor(), "", func(path string, fd protoreflect.FieldDescriptor) {
		kinds := map[shape]protoreflect.Kind{
			shapeText: protoreflect.StringKind, shapeBool: protoreflect.BoolKind, shapeCount: protoreflect.Int32Kind,
			shapeSize: protoreflect.Int64Kind, shapeDuration: protoreflect.MessageKind, shapeList: protoreflect.MessageKind,
			shapeWords: protoreflect.StringKind, shapeShare: protoreflect.DoubleKind, shapeFree: protoreflect.MessageKind,
		}
		if s := shapeOf(fd); fd.Kind() != kinds[s] || fd.IsMap() || fd.HasPresence() && s != shapeDuration && s != shapeFree {
			t.Errorf("%s is a %s of kind %s, which the loader does not know", path, s, fd.Kind())
		}
		secret := strings.Contains(path, "secret") || strings.HasSuffix(path, "token") ||
			strings.HasSuffix(path, "dsn") || strings.HasSuffix(path, "password") || strings.HasSuffix(path, "api_key")
		if secret != isSecret(fd) {
			t.Errorf("%s: debug_redact is %v", path, isSecret(fd))
		}
	})
}
