package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/nacos-group/nacos-sdk-go/v2/util"
)

func TestMain(m *testing.M) {
	// Nacos' clients keep the machine's address in a variable without a lock.
	util.LocalIP()
	dir, err := os.MkdirTemp("", "hermod-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs = dir
	code := 1
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, "the programs do not build:", err)
	} else {
		code = m.Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// build makes the programs as they ship: static, without C. With HERMOD_TEST_RACE they are made with the
// race detector, which ends a node in which it has found something with a failure.
func build(dir string) error {
	const module = "github.com/game-im/hermod/"
	args, cgo := []string{"build"}, "0"
	if os.Getenv("HERMOD_TEST_RACE") != "" {
		args, cgo = append(args, "-race"), "1"
	}
	cmd := exec.Command("go", append(args, "-o", dir+string(os.PathSeparator),
		module+"app/hermod/cmd/hermod", module+"app/hermodctl/cmd/hermodctl", module+"app/upstream/cmd/upstream", module+"docs/examples/demo")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}
