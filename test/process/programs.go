package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programs is the folder with the binaries; Main fills it.
var programs string

// Built is the environment variable that names a folder of programs which are built already, for whoever runs a test again
// and again.
const Built = "HERMOD_TEST_PROGRAMS"

// Main is for TestMain: it builds the programs, named by their packages below the module, runs the tests, and returns the
// exit code.
func Main(m *testing.M, packages ...string) (code int) {
	if programs = os.Getenv(Built); programs != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "hermod-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	if err := build(dir, packages); err != nil {
		fmt.Fprintln(os.Stderr, "the programs do not build:", err)
		return 1
	}
	return m.Run()
}

// Program is the path of a program that Main has built.
func Program(name string) string { return filepath.Join(programs, name) }

// build makes the programs as they ship: static, without C. With HERMOD_TEST_RACE they are made with the
// race detector, which ends a node in which it has found something with a failure.
func build(dir string, packages []string) error {
	args, cgo := []string{"build"}, "0"
	if os.Getenv("HERMOD_TEST_RACE") != "" {
		args, cgo = append(args, "-race"), "1"
	}
	args = append(args, "-o", dir+string(os.PathSeparator))
	for _, p := range packages {
		args = append(args, "github.com/game-im/hermod/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}
