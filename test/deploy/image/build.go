package image

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// base is where on this machine the files are that the build stage's image, golang:…-bookworm,
// brings along.
type base struct{ goroot string }

// builder carries out the build stage below dir: its /src and /out are folders there.
type builder struct {
	context string // the folder that `docker build` is given
	dir     string
	base    base
	args    map[string]string
}

func newBuilder(ctx context.Context, repository, dir string, values map[string]string) (*builder, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	return &builder{context: repository, dir: dir, base: base{strings.TrimSpace(string(root))}, args: values}, nil
}

// host says where a path of the build stage is on this machine.
func (b *builder) host(name string) string {
	switch {
	case strings.HasPrefix(name, "/usr/local/go/"):
		return filepath.Join(b.base.goroot, strings.TrimPrefix(name, "/usr/local/go"))
	case strings.HasPrefix(name, "/etc/ssl/certs/"):
		return name
	default:
		return filepath.Join(b.dir, name)
	}
}

// run carries out a stage's instructions in their order.
func (b *builder) run(ctx context.Context, stage instructions.Stage) error {
	workdir := "/"
	if err := os.MkdirAll(b.host("/out"), 0o755); err != nil {
		return err
	}
	for _, command := range stage.Commands {
		var err error
		switch c := command.(type) {
		case *instructions.WorkdirCommand:
			workdir = c.Path
			err = os.MkdirAll(b.host(workdir), 0o755)
		case *instructions.CopyCommand:
			err = b.fromContext(c, workdir)
		case *instructions.RunCommand:
			err = b.shell(ctx, c, workdir)
		case *instructions.ArgCommand: // known from the start
		default:
			err = unsupported("build", command)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shell runs a RUN line in its folder. The one absolute path that it may name is /out.
func (b *builder) shell(ctx context.Context, c *instructions.RunCommand, workdir string) error {
	script := strings.ReplaceAll(strings.Join(c.CmdLine, " "), " /out/", " "+b.host("/out")+"/")
	cmd := exec.CommandContext(ctx, "sh", "-euc", script)
	cmd.Dir = b.host(workdir)
	cmd.Env = os.Environ()
	for name, value := range b.args {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("RUN %s: %w\n%s", script, err, output)
	}
	return nil
}

// fromContext copies from the build context, as .dockerignore leaves it.
func (b *builder) fromContext(c *instructions.CopyCommand, workdir string) error {
	if c.From != "" || c.Chown != "" {
		return unsupported("build", c)
	}
	ignored, err := readIgnored(b.context)
	if err != nil {
		return err
	}
	target := b.host(path.Join(workdir, c.DestPath))
	for _, source := range c.SourcePaths {
		if err := copyContext(b.context, source, target, ignored); err != nil {
			return fmt.Errorf("COPY %s: %w", source, err)
		}
	}
	return nil
}

func readIgnored(dir string) (*patternmatcher.PatternMatcher, error) {
	file, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf(".dockerignore: %w", err)
	}
	return patternmatcher.New(patterns)
}

// copyContext copies a file or folder of the context into the folder target.
func copyContext(dir, source, target string, ignored *patternmatcher.PatternMatcher) error {
	return filepath.WalkDir(filepath.Join(dir, source), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil || relative == "." {
			return err
		}
		skip, err := ignored.MatchesOrParentMatches(relative)
		switch {
		case err != nil:
			return err
		case skip && entry.IsDir() && !ignored.Exclusions():
			return filepath.SkipDir
		case skip || entry.IsDir():
			return nil
		}
		return copyFile(name, filepath.Join(target, relative))
	})
}

// copyFile copies a file with its mode; the folder that it goes to is made.
func copyFile(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, data, info.Mode().Perm())
}
