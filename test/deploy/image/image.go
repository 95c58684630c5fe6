package image

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Image is the root file system of the final stage and how it is to be run.
type Image struct {
	Root       string // the folder that is / in a container
	Base       string // what the final stage is built from
	Env        []string
	User       string
	WorkDir    string
	Entrypoint []string
	Volumes    []string
	Ports      []string
}

// Build builds the image of the Dockerfile in repository, with the given build arguments, in the
// folder dir. It takes as long as building the program. Files of root, and those of the image's
// user, are given to them, which needs root.
func Build(ctx context.Context, repository, dir string, values map[string]string) (*Image, error) {
	d, err := Parse(repository)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(ctx, repository, filepath.Join(dir, "build"), args(d.Build, values))
	if err != nil {
		return nil, err
	}
	if err := b.run(ctx, d.Build); err != nil {
		return nil, err
	}
	i := &Image{Root: filepath.Join(dir, "root"), Base: d.Final.BaseName}
	if err := os.MkdirAll(i.Root, 0o755); err != nil {
		return nil, err
	}
	for _, command := range d.Final.Commands {
		if err := i.apply(command, d.Build.Name, b); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// apply carries out one instruction of the final stage.
func (i *Image) apply(command instructions.Command, from string, b *builder) error {
	switch c := command.(type) {
	case *instructions.CopyCommand:
		if c.From != from || len(c.SourcePaths) != 1 || c.Chmod != "" {
			return unsupported("final", c)
		}
		return i.copy(b.host(c.SourcePaths[0]), c.SourcePaths[0], c.DestPath, c.Chown)
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			i.Env = append(i.Env, pair.Key+"="+pair.Value)
		}
	case *instructions.UserCommand:
		i.User = c.User
	case *instructions.WorkdirCommand:
		i.WorkDir = c.Path
	case *instructions.VolumeCommand:
		i.Volumes = append(i.Volumes, c.Volumes...)
	case *instructions.ExposeCommand:
		i.Ports = append(i.Ports, c.Ports...)
	case *instructions.EntrypointCommand:
		if c.PrependShell {
			return fmt.Errorf("Dockerfile: ENTRYPOINT needs a shell, and the image has none")
		}
		i.Entrypoint = c.CmdLine
	default:
		return unsupported("final", command)
	}
	return nil
}

// copy is COPY --from: a folder's contents go into the target, a file to it or, when the target ends
// in a slash, into it.
func (i *Image) copy(source, named, target, owner string) error {
	uid, gid, err := ids(owner)
	if err != nil {
		return err
	}
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("COPY %s: %w", named, err)
	}
	at := filepath.Join(i.Root, target)
	switch {
	case info.IsDir():
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := os.CopyFS(at, os.DirFS(source)); err != nil {
			return err
		}
	case strings.HasSuffix(target, "/"):
		at = filepath.Join(at, path.Base(named))
		fallthrough
	default:
		if err := copyFile(source, at); err != nil {
			return err
		}
	}
	return filepath.WalkDir(at, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, uid, gid)
	})
}

// ids are the numbers of "uid:gid"; the empty owner is root.
func ids(owner string) (uid, gid int, err error) {
	if owner == "" {
		return 0, 0, nil
	}
	user, group, ok := strings.Cut(owner, ":")
	if !ok {
		return 0, 0, fmt.Errorf("owner %q: want uid:gid", owner)
	}
	if uid, err = strconv.Atoi(user); err == nil {
		gid, err = strconv.Atoi(group)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("owner %q: names mean nothing in an image without /etc/passwd: %w", owner, err)
	}
	return uid, gid, nil
}
