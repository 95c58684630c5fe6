package scaffold_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/game-im/hermod/app/hermodctl/scaffold"
)

// TestWrittenModule: what is written builds outside of this repository, and its test passes, by the versions
// and sums of this one.
func TestWrittenModule(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mine")
	p := scaffold.Plugin{Name: "no-novels2", Dir: dir, Replace: filepath.Join("..", "..", "..")}
	if err := p.Write(); err != nil {
		t.Fatal(err)
	}
	for _, step := range [][]string{{"vet", "./..."}, {"test", "-count=1", "./..."}, {"build", "-o", filepath.Join(t.TempDir(), "node"), "."}} {
		cmd := exec.CommandContext(t.Context(), "go", step...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(step, " "), err, out)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "gofmt", "-l", dir).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v\n%s", err, out)
	}
}

// TestNamesThatTheModuleHas: a plugin may be called like something else that is written, and what is written still builds.
func TestNamesThatTheModuleHas(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"new", "test-node", "test-plugin", "main", "plugin"} {
		dir := t.TempDir()
		if err := (scaffold.Plugin{Name: name, Dir: dir}).Write(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		var parsed []*ast.File
		set := token.NewFileSet()
		for _, file := range files {
			f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
		check := types.Config{Importer: importer.Default(), Error: func(err error) {
			if strings.Contains(err.Error(), "redeclared") {
				t.Errorf("%s: %v", name, err)
			}
		}}
		_, _ = check.Check("main", set, parsed, nil) // it fails for what is not imported here
	}
}

// TestPublished: without a checkout the module asks for a published version, or leaves it to go mod tidy.
func TestPublished(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v1.2.3": "\nrequire github.com/game-im/hermod v1.2.3\n", "": "go 1.26.0\n"} {
		dir := t.TempDir()
		if err := (scaffold.Plugin{Name: "mine", Dir: dir, Version: version}).Write(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil || !strings.HasSuffix(string(text), want) || strings.Contains(string(text), "replace") {
			t.Errorf("%q: %v\n%s", version, err, text)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := scaffold.Plugin{Name: "mine", Dir: dir}.Write()
	if err == nil || !strings.Contains(err.Error(), "is not empty: it has mine.txt") {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("there is now %v, %v", entries, err)
	}
}

func TestWhatIsNoCheckout(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.com/other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{other, t.TempDir()} {
		dir := filepath.Join(t.TempDir(), "new")
		err := scaffold.Plugin{Name: "mine", Dir: dir, Replace: from}.Write()
		if err == nil || !strings.Contains(err.Error(), "is no checkout of Hermod") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("a folder was made all the same")
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, fine := range map[string]bool{
		"a": true, "word-filter": true, "x2": true, strings.Repeat("a", 64): true,
		"": false, "2x": false, "-a": false, "a-": false, "a--b": false, "A": false, "a_b": false, "a/b": false, "..": false, "é": false,
		strings.Repeat("a", 65): false,
	} {
		if err := scaffold.CheckName(name); (err == nil) != fine {
			t.Errorf("%q: %v", name, err)
		}
	}
}
