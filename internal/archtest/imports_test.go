package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is the path that this module's own imports begin with.
const module = "github.com/game-im/hermod/"

// An edge is one import in one file.
type edge struct {
	file     string // slash-separated, from the root of the module
	external bool   // in a package x_test
	imported string
}

// folder is where the importing file is.
func (e edge) folder() string { return path.Dir(e.file) }

// readImports lists the imports of every Go file of the module, whatever its build constraints:
// generated files and tests too. Nested modules and folders that the go command ignores are left
// out.
func readImports(t *testing.T, root string) []edge {
	t.Helper()
	var edges []edge
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && ignored(name) {
				return filepath.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		found, err := fileImports(root, name)
		edges = append(edges, found...)
		return err
	})
	if err != nil {
		t.Fatalf("reading imports: %v", err)
	}
	return edges
}

// ignored tells whether the packages below a folder are not of this module.
func ignored(folder string) bool {
	base := filepath.Base(folder)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return true
	}
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

func fileImports(root, name string) ([]edge, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return nil, err
	}
	external := strings.HasSuffix(file.Name.Name, "_test") && strings.HasSuffix(name, "_test.go")
	var edges []edge
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		edges = append(edges, edge{file: filepath.ToSlash(relative), external: external, imported: imported})
	}
	return edges, nil
}
