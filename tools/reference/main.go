// Reference writes the reference of Go packages in Markdown, of their docstrings:
//
//	go run ./reference DIRECTORY=IMPORTPATH FILE.md
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: reference DIRECTORY=IMPORTPATH FILE.md")
	}
	dir, path, ok := strings.Cut(args[0], "=")
	if !ok {
		return fmt.Errorf("%q is not DIRECTORY=IMPORTPATH", args[0])
	}
	p, err := load(dir, path)
	if err != nil {
		return err
	}
	text, err := p.markdown()
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], text, 0o644)
}

// reference is what is known of a package.
type reference struct {
	*doc.Package
	fset *token.FileSet
	out  bytes.Buffer
}

func load(dir, path string) (*reference, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no Go", dir)
	}
	p, err := doc.NewFromFiles(fset, files, path)
	return &reference{Package: p, fset: fset}, err
}

// markdown has the types in the order of their files, since what belongs together is in one.
func (r *reference) markdown() ([]byte, error) {
	fmt.Fprintf(&r.out, "# Package %s\n\n", r.Name)
	fmt.Fprintf(&r.out, "<!-- Made of the docstrings by make generate. -->\n\n    import %q\n\n", r.ImportPath)
	r.text(r.Doc)
	slices.SortStableFunc(r.Types, func(a, b *doc.Type) int { return int(a.Decl.Pos() - b.Decl.Pos()) })
	r.index()
	err := errors.Join(r.values(r.Consts), r.values(r.Vars), r.funcs("", r.Funcs))
	for _, t := range r.Types {
		fmt.Fprintf(&r.out, "## %s\n\n", t.Name)
		err = errors.Join(err, r.decl(t.Decl))
		r.text(t.Doc)
		err = errors.Join(err, r.values(t.Consts), r.values(t.Vars), r.funcs("#", t.Funcs), r.funcs("#", t.Methods))
	}
	return append(bytes.TrimRight(r.out.Bytes(), "\n"), '\n'), err
}

func (r *reference) index() {
	for _, f := range r.Funcs {
		r.entry(f.Name, f.Doc)
	}
	for _, t := range r.Types {
		r.entry(t.Name, t.Doc)
		for _, f := range t.Funcs {
			r.entry(f.Name, f.Doc)
		}
	}
	r.out.WriteString("\n")
}

// entry is a line of the index, with the first sentence of a docstring. go/doc takes one that begins with
// "author" for a signature, so that it is asked about the words behind.
func (r *reference) entry(name, docstring string) {
	fmt.Fprintf(&r.out, "- [%s](#%s):%s\n", name, strings.ToLower(name), strings.TrimPrefix(r.Synopsis("X"+strings.TrimPrefix(docstring, name)), "X"))
}

// text writes a docstring, whose headings are below those of what it is of.
func (r *reference) text(docstring string) {
	printer := r.Printer()
	printer.HeadingLevel = 4
	r.out.Write(printer.Markdown(r.Parser().Parse(docstring)))
	r.out.WriteString("\n")
}

func (r *reference) decl(d ast.Decl) error {
	r.out.WriteString("```go\n")
	err := format.Node(&r.out, r.fset, d)
	r.out.WriteString("\n```\n\n")
	return err
}

func (r *reference) values(all []*doc.Value) (err error) {
	for _, v := range all {
		err = errors.Join(err, r.decl(v.Decl))
		r.text(v.Doc)
	}
	return err
}

func (r *reference) funcs(deeper string, all []*doc.Func) (err error) {
	for _, f := range all {
		name := f.Name
		if f.Recv != "" {
			name = "(" + f.Recv + ") " + name
		}
		fmt.Fprintf(&r.out, "##%s %s\n\n", deeper, name)
		err = errors.Join(err, r.decl(f.Decl))
		r.text(f.Doc)
	}
	return err
}
