package image

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// specVariable is how a process learns that it is to become a program in the image.
const specVariable = "HERMOD_TEST_CONTAINER"

// spec is what such a process needs to know.
type spec struct {
	Root, Dir string
	UID, GID  int
	ReadOnly  bool
	Argv, Env []string
	Mounts    []mount
}

type mount struct{ Source, Target string }

// Enter turns a process that [Image.Start] has started into the program that it is to run, and
// returns at once in any other. Every test binary that starts containers calls it first.
func Enter() {
	encoded, ok := os.LookupEnv(specVariable)
	if !ok {
		return
	}
	err := enter(encoded)
	fmt.Fprintln(os.Stderr, "entering the image:", err)
	os.Exit(125)
}

// enter returns only when something is wrong. The process is alone in its mount namespace.
func enter(encoded string) error {
	var s spec
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		return err
	}
	if err := s.mount(); err != nil {
		return err
	}
	if err := syscall.Chroot(s.Root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir(s.Dir); err != nil {
		return err
	}
	// Leaving root behind takes all capabilities away.
	for _, leave := range []func() error{
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(s.GID) },
		func() error { return syscall.Setuid(s.UID) },
	} {
		if err := leave(); err != nil {
			return fmt.Errorf("becoming %d:%d: %w", s.UID, s.GID, err)
		}
	}
	return fmt.Errorf("exec %s: %w", s.Argv[0], syscall.Exec(s.Argv[0], s.Argv, s.Env))
}

// mount makes the image's root a mount of its own, read-only by choice, with the mounts on top.
func (s *spec) mount() error {
	const bind = syscall.MS_BIND | syscall.MS_REC
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := syscall.Mount(s.Root, s.Root, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the root: %w", err)
	}
	for _, m := range s.Mounts {
		if err := syscall.Mount(m.Source, filepath.Join(s.Root, m.Target), "", bind, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", m.Target, err)
		}
	}
	if !s.ReadOnly {
		return nil
	}
	if err := syscall.Mount("", s.Root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("making the root read-only: %w", err)
	}
	return nil
}
