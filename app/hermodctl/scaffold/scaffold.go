// Package scaffold writes the module of a new plugin: a program to start from, which builds, and whose test
// passes.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed module
var files embed.FS

// names is what the files are called that cannot have their own name here.
var names = map[string]string{"dockerignore": ".dockerignore"}

// Plugin is what a module is written for.
type Plugin struct {
	Name    string // of the plugin, and of the module below example.com
	Dir     string // where to; made if it is not there
	Replace string // a checkout of Hermod to build against; empty: the published module
	Version string // of the published module; empty: to be found out by go mod tidy
}

var goodName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// CheckName tells what is wrong with the name of a plugin.
func CheckName(name string) error {
	if len(name) > 64 || !goodName.MatchString(name) {
		return fmt.Errorf("the name %q is not possible; lower case letters and digits, with single hyphens between them, make one of 64 bytes at most, and a letter begins it", name)
	}
	return nil
}

// Write writes the module. It is an error if the folder has something in it; then nothing is written.
func (p Plugin) Write() error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	fill := struct{ Name, Type, Replace, Version, Go string }{p.Name, typeOf(p.Name), "", p.Version, "1.26.0"}
	if p.Replace != "" {
		from, err := checkout(p.Replace)
		if err != nil {
			return err
		}
		fill.Replace = from
	}
	if err := emptyFolder(p.Dir); err != nil {
		return err
	}
	templates, err := template.ParseFS(files, "module/*.tmpl")
	if err != nil {
		return err
	}
	for _, t := range templates.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, fill); err != nil {
			return err
		}
		name := strings.TrimSuffix(t.Name(), ".tmpl")
		if other, ok := names[name]; ok {
			name = other
		}
		if err := os.WriteFile(filepath.Join(p.Dir, name), text.Bytes(), 0o644); err != nil { //nolint:gosec // source, for everybody to read
			return err
		}
	}
	if fill.Replace == "" {
		return nil
	}
	return p.sums(fill.Replace)
}

// sums begins the new module's go.sum with that of the checkout, which has all that it needs.
func (p Plugin) sums(from string) error {
	known, err := os.ReadFile(filepath.Join(from, "go.sum"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.Dir, "go.sum"), known, 0o644) //nolint:gosec // source, for everybody to read
}

// checkout returns the absolute path of a folder that has Hermod's module.
func checkout(dir string) (string, error) {
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(from, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("%s is no checkout of Hermod: %w", dir, err)
	}
	if first, _, _ := strings.Cut(string(text), "\n"); strings.TrimSpace(first) != "module github.com/game-im/hermod" {
		return "", fmt.Errorf("%s is no checkout of Hermod: its go.mod begins with %q", dir, first)
	}
	if strings.ContainsAny(from, " \t\n\"'`\\") {
		return "", fmt.Errorf("the path %q cannot be written into a go.mod as it is; one without spaces and quotes is needed", from)
	}
	return from, nil
}

// emptyFolder makes a folder, or finds that it is there and empty.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(dir, 0o755) //nolint:gosec // source, for everybody to read
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: it has %s; name another folder", dir, entries[0].Name())
	}
	return nil
}

// typeOf makes a Go name of a plugin's: no-shouting is NoShouting. It is none that the module has already.
func typeOf(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	switch name := b.String(); name {
	case "New", "TestNode", "TestPlugin":
		return name + "Plugin"
	default:
		return name
	}
}
