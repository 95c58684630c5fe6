package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// Container is how a program in the image is to be started.
type Container struct {
	Command      []string // instead of the image's entrypoint
	Args         []string
	Env          []string // NAME=value, on top of the image's
	Mounts       map[string]string
	User         string // uid:gid; "": the image's
	ReadOnlyRoot bool   // nothing but the mounts can be written to
}

// Process is a program that runs in the image.
type Process struct {
	cmd    *exec.Cmd
	output *buffer
	exited chan struct{}
	err    error // valid once exited is closed
}

// Start starts a program in the image. It ends with ctx at the latest.
func (i *Image) Start(ctx context.Context, c Container) (*Process, error) {
	spec, err := i.spec(c)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.CommandContext(ctx, self), output: &buffer{}, exited: make(chan struct{})}
	p.cmd.Env = []string{specVariable + "=" + string(encoded)}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting in a mount namespace of its own: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Run starts a program and returns what it has written once it has ended.
func (i *Image) Run(ctx context.Context, c Container) (string, error) {
	p, err := i.Start(ctx, c)
	if err != nil {
		return "", err
	}
	<-p.exited
	return p.Output(), p.err
}

// Output is what the program has written so far, to standard output and to standard error.
func (p *Process) Output() string { return p.output.String() }

// Exited is closed once the program has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop tells the program to stop and returns how it ended.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return p.err
}

// spec is a Container with what the image says filled in.
func (i *Image) spec(c Container) (*spec, error) {
	owner := i.User
	if c.User != "" {
		owner = c.User
	}
	uid, gid, err := ids(owner)
	if err != nil {
		return nil, err
	}
	command := i.Entrypoint
	if len(c.Command) > 0 {
		command = c.Command
	}
	s := &spec{
		Root: i.Root, Dir: i.WorkDir, UID: uid, GID: gid, ReadOnly: c.ReadOnlyRoot,
		Argv: append(append([]string{}, command...), c.Args...),
		Env:  append(append([]string{}, i.Env...), c.Env...),
	}
	// Every engine brings these two along.
	s.Mounts = append(s.Mounts, mount{"/proc", "/proc"}, mount{"/dev", "/dev"})
	for target, source := range c.Mounts {
		s.Mounts = append(s.Mounts, mount{source, target})
	}
	for _, m := range s.Mounts {
		if err := mountPoint(m.Source, filepath.Join(i.Root, m.Target)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// mountPoint makes what source is mounted on, as engines do.
func mountPoint(source, target string) error {
	info, err := os.Stat(source)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

// buffer may be written to and read at the same time.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
