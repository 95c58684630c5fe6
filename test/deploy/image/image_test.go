package image_test

import (
	"archive/zip"
	"context"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
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
	"time"

	"github.com/game-im/hermod/test/deploy/image"
	"github.com/game-im/hermod/test/loopback"
)

const repository = "../../.."

var apps = []string{"hermod", "hermodctl", "upstream"}

// images are those of all programs, by name.
var images = map[string]*image.Image{}

func TestMain(m *testing.M) {
	image.Enter()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	switch reason := unable(); {
	case reason != "" && os.Getenv("CI") != "":
		return 1, errors.New("on CI the image is tested, which " + reason)
	case reason != "":
		return m.Run(), nil // built skips what needs images
	}
	dir, err := os.MkdirTemp("", "hermod-image-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the image's user passes through it
		return 1, err
	}
	for _, app := range apps {
		built, err := image.Build(context.Background(), repository, filepath.Join(dir, app), map[string]string{"APP": app, "VERSION": "v0-test"})
		if err != nil {
			return 1, err
		}
		images[app] = built
	}
	return m.Run(), nil
}

// unable tells why images can be neither laid out nor entered here.
func unable() string {
	switch {
	case runtime.GOOS != "linux":
		return "needs Linux: an image's programs are started in its root directory"
	case os.Geteuid() != 0:
		return "needs root: files are given to the image's users, and its programs are started in its root directory"
	}
	return ""
}

// built returns the image of a program. It skips the test where there can be none.
func built(t *testing.T, app string) *image.Image {
	t.Helper()
	if images[app] == nil {
		t.Skip(unable())
	}
	return images[app]
}

func TestDockerfileHasNoWarnings(t *testing.T) {
	t.Parallel()
	d, err := image.Parse(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range d.Warnings {
		t.Error(w)
	}
}

// The image that the program is built in must have the Go that go.mod asks for.
func TestBaseImageHasTheGoOfTheModule(t *testing.T) {
	t.Parallel()
	d, err := image.Parse(repository)
	if err != nil {
		t.Fatal(err)
	}
	version, err := exec.CommandContext(t.Context(), "go", "-C", repository, "list", "-m", "-f", "{{.GoVersion}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(strings.TrimSpace(string(version)), ".", 3)
	if want := "golang:" + parts[0] + "." + parts[1] + "-"; !strings.HasPrefix(d.Build.BaseName, want) {
		t.Errorf("built from %s; go.mod asks for %s", d.Build.BaseName, version)
	}
}

// Besides the program there is what it cannot bring along, and nothing else.
func TestContents(t *testing.T) {
	t.Parallel()
	for _, app := range apps {
		i := built(t, app)
		if i.Base != "scratch" {
			t.Errorf("%s: built from %s", app, i.Base)
		}
		want := []string{"/app 0:0 755", "/data/blobs 65532:65532 755", "/etc/ssl/certs/ca-certificates.crt 0:0 644", "/tmp 65532:65532 755", "/usr/share/zoneinfo.zip 0:0 644"}
		if got := contents(t, i.Root); !slices.Equal(got, want) {
			t.Errorf("%s: has\n%s\nwant\n%s", app, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// contents lists files and empty folders with owner and mode; what mounts have left is not the
// image's.
func contents(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at := strings.TrimPrefix(name, root)
		if at == "/proc" || at == "/dev" || at == "/probe" {
			return nil
		}
		if entry.IsDir() {
			if below, err := os.ReadDir(name); err != nil || len(below) > 0 {
				return err
			}
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		found = append(found, fmt.Sprintf("%s %d:%d %o", at, owner.Uid, owner.Gid, info.Mode().Perm()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// An image without a loader and libraries can only run what needs none.
func TestBinaryIsStatic(t *testing.T) {
	t.Parallel()
	for _, app := range apps {
		i := built(t, app)
		binary, err := elf.Open(filepath.Join(i.Root, "app"))
		if err != nil {
			t.Fatal(err)
		}
		defer binary.Close()
		for _, p := range binary.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("%s: has a %s segment: it is not static", app, p.Type)
			}
		}
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	rest, err := os.ReadFile(filepath.Join(built(t, "hermod").Root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Errorf("certificate %d: %v", count, err)
		}
		count++
	}
	if left := strings.TrimSpace(string(rest)); count < 50 || left != "" {
		t.Errorf("%d certificates, and %d bytes that are none", count, len(left))
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	zones, err := zip.OpenReader(filepath.Join(built(t, "hermod").Root, "usr/share/zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer zones.Close()
	for _, name := range []string{"Europe/Berlin", "Asia/Shanghai", "America/New_York"} {
		if _, err := zones.Open(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestInside looks from the inside, as a program of the image does that is run with a root that
// cannot be written to.
func TestInside(t *testing.T) {
	t.Parallel()
	i := built(t, "hermod")
	probe := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", probe, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	image.Open(t, probe)
	for _, readOnly := range []bool{false, true} {
		output, err := i.Run(t.Context(), image.Container{
			Command: []string{"/probe"}, ReadOnlyRoot: readOnly,
			Mounts: map[string]string{"/probe": probe, "/data": image.Volume(t), "/tmp": image.Volume(t)},
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		var got, want map[string]any
		if err := json.Unmarshal([]byte(output), &got); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		// The user can write nowhere else, whether the root is read-only or not.
		const inside = `{"uid": 65532, "gid": 65532, "capabilities": "0000000000000000", "dir": "/data",
			"summer": "+02:00 CEST", "winter": "+01:00 CET", "writable": ["/data", "/tmp"]}`
		if err := json.Unmarshal([]byte(inside), &want); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("read-only %v: the program sees\n%v\nwant\n%v", readOnly, got, want)
		}
	}
}

// TestNodeServes starts the node as orchestrators do: a root that is read-only, and volumes.
func TestNodeServes(t *testing.T) {
	t.Parallel()
	i := built(t, "hermod")
	data, ops := image.Volume(t), loopback.Addr(t)
	p, err := i.Start(t.Context(), image.Container{
		Args:   []string{"-im", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-http", "127.0.0.1:0", "-ops", ops},
		Mounts: map[string]string{"/data": data, "/tmp": image.Volume(t)}, ReadOnlyRoot: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"/healthz", "/readyz"} {
		image.Await(t, p, "http://"+ops+page)
	}
	if _, err := os.Stat(filepath.Join(data, "hermod.db")); err != nil {
		t.Errorf("the volume has no database: %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopping: %v\n%s", err, p.Output())
	}
	if !strings.Contains(p.Output(), "v0-test") {
		t.Errorf("the node does not say the version that it was built as\n%s", p.Output())
	}
}

// The data folder is the one place that the node cannot do without.
func TestNodeSaysThatItCannotWrite(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	output, err := built(t, "hermod").Run(ctx, image.Container{Args: []string{"-ops", "127.0.0.1:0", "-im", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-http", "127.0.0.1:0"}, ReadOnlyRoot: true})
	if err == nil || ctx.Err() != nil || !strings.Contains(output, "/data/hermod.db") || !strings.Contains(output, "read-only file system") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestCommandRuns(t *testing.T) {
	t.Parallel()
	output, err := built(t, "hermodctl").Run(t.Context(), image.Container{Args: []string{"version"}, ReadOnlyRoot: true})
	if err != nil || !strings.Contains(output, "v0-test") {
		t.Errorf("hermodctl version: %v\n%s", err, output)
	}
}
