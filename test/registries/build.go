package registries

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Enabled is the environment variable without which servers are neither built nor started.
const Enabled = "HERMOD_TEST_REGISTRIES"

// program is a server that can be built: a package, as seen from a module below this folder.
type program struct {
	module, pkg string
	java        *java // built by Maven; pkg is the main class
}

// binary returns the path of the built program. It skips the test where servers are not wanted or
// cannot be built; on CI the latter is a failure.
func binary(t testing.TB, p program) string {
	t.Helper()
	if p.java != nil {
		return javaBinary(t, p)
	}
	if os.Getenv(Enabled) == "" {
		t.Skipf("needs %s: set %s=1 (it is built once, which takes minutes) or run make race", p.module, Enabled)
	}
	file, err := p.build()
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("%s does not build: %v", p.module, err)
	case err != nil:
		t.Skipf("%s does not build, are its modules reachable? `go build %s` in test/registries/%s shows more: %v", p.module, p.pkg, p.module, err)
	}
	return file
}

// build builds the program unless it is there already. Test binaries that want it at the same time
// wait for the one that builds.
func (p program) build() (string, error) {
	module, err := p.dir()
	if err != nil {
		return "", err
	}
	key, err := p.key(module)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "hermod-test", p.module)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	file := filepath.Join(cache, key)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := removeOld(cache); err != nil {
		return "", err
	}
	if p.java != nil {
		return file, p.compileJava(module, file)
	}
	return file, p.compile(module, file)
}

// dir is where the program's module is: asked of the go command, because a test may run anywhere.
func (p program) dir() (string, error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/game-im/hermod/test/registries").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", withOutput(err))
	}
	return filepath.Join(strings.TrimSpace(string(out)), p.module), nil
}

// key names a build after everything that it is made of.
func (p program) key(module string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH, p.pkg)
	files, err := os.ReadDir(module)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(module, f.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, f.Name(), len(text))
		sum.Write(text)
	}
	return p.module + "-" + hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

func (p program) compile(module, file string) error {
	partial := file + ".partial"
	cmd := exec.Command("go", "build", "-o", partial, p.pkg)
	cmd.Dir = module
	// What the test is built with is not for the server: GOFLAGS may name a mod file or tags.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, lastLines(out.String()))
	}
	return os.Rename(partial, file)
}

// lock takes a lock that the kernel releases when the process is gone, however it ends.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing unlocks; nothing was written
}

// removeOld deletes builds of earlier versions.
func removeOld(cache string) error {
	files, err := os.ReadDir(cache)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(cache, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

func withOutput(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w\n%s", err, lastLines(string(exit.Stderr)))
	}
	return err
}

// lastLines is the end of an output, as much as one wants to read in a test's log.
func lastLines(s string) string {
	const most = 60
	lines := slices.Collect(strings.Lines(s))
	return strings.Join(lines[max(len(lines)-most, 0):], "")
}
