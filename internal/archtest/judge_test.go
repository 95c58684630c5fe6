package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// judge says what is wrong with an import: importer, imported and the reason, or "" for nothing.
func judge(e edge) string {
	own, at := layerOf(e.folder())
	switch {
	case own == nil:
		return fmt.Sprintf("%s is in no layer of rules_test.go: add its folder there, with what it may import and why", e.file)
	case allowed(*own, at, e):
	default:
		return fmt.Sprintf("%s imports %s, which %s may not: %s", e.file, e.imported, own.folder, own.why)
	}
	for _, b := range bans {
		if b.forbids(e) {
			return fmt.Sprintf("%s imports %s, which may not be imported there: %s", e.file, e.imported, b.why)
		}
	}
	return ""
}

// layerOf finds the layer with the longest folder that covers the given one, and the folder with
// its wildcards filled in.
func layerOf(folder string) (found *layer, at string) {
	for i := range layers {
		prefix, ok := covers(layers[i].folder, folder)
		if ok && (found == nil || depth(prefix) > depth(at)) {
			found, at = &layers[i], prefix
		}
	}
	return found, at
}

// covers tells whether folder is what the pattern names or below it, and by which prefix.
func covers(pattern, folder string) (prefix string, ok bool) {
	parts := strings.Split(folder, "/")
	if depth(pattern) > len(parts) {
		return "", false
	}
	prefix = strings.Join(parts[:depth(pattern)], "/")
	ok, err := path.Match(pattern, prefix)
	return prefix, ok && err == nil
}

func depth(folder string) int { return strings.Count(folder, "/") + 1 }

// allowed tells whether a layer, whose folder is at, may have an import.
func allowed(own layer, at string, e edge) bool {
	folder, ours := strings.CutPrefix(e.imported, module)
	if !ours {
		return !own.stdAlone || isStandard(e.imported)
	}
	_, target := layerOf(folder)
	return target == at || anyCovers(own.may, folder) || testMay(e, folder) || startsServers(e, folder)
}

// testMay tells what tests may import beyond their layer. A test in a package x_test inside
// internal may put the parts of the node together, as a program does, since nothing can import
// it. Tests inside a package, and all of api, plugin and sdk, keep to their layer: users run
// the latter.
func testMay(e edge, folder string) bool {
	_, inside := covers("internal", e.folder())
	return e.external && inside && anyCovers([]string{"internal", "api", "plugin", "sdk"}, folder)
}

// startsServers tells the tests, of every layer, that start a registry or a database to run against. The package that
// does it for them knows nothing of ours.
func startsServers(e edge, folder string) bool {
	return strings.HasSuffix(e.file, "_test.go") &&
		slices.Contains([]string{"test/registries", "test/databases", "test/brokers", "test/authority", "test/loopback"}, folder)
}

// isStandard tells packages of the standard library, whose first path element has no dot.
func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func (b ban) forbids(e edge) bool {
	return anyCovers(b.packages, e.imported) &&
		(len(b.in) == 0 || anyCovers(b.in, e.folder())) &&
		!anyCovers(b.except, e.folder())
}

func anyCovers(patterns []string, folder string) bool {
	for _, pattern := range patterns {
		if _, ok := covers(pattern, folder); ok {
			return true
		}
	}
	return false
}
