package conf

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// watched is a file or folder that is being watched.
type watched struct {
	t       *testing.T
	file    File
	changed chan struct{}
}

func watch(t *testing.T, path string) *watched {
	t.Helper()
	w := &watched{t: t, file: File(path), changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.file.Watch(ctx, func() { poke(w.changed) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	// The watch is on once a file beside the one in question is noticed.
	probe := filepath.Join(filepath.Dir(path), "probe")
	for deadline := time.Now().Add(time.Minute); ; {
		put(t, probe, "")
		select {
		case <-w.changed:
			return w
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(deadline) {
				t.Fatal("the watch does not begin")
			}
		}
	}
}

// sees waits until the file reads as it should, looking only after a change was told of.
func (w *watched) sees(text string) {
	w.t.Helper()
	timeout := time.After(time.Minute)
	for {
		docs, err := w.file.documents()
		if err == nil && string(docs[0].Text) == text {
			return
		}
		select {
		case <-w.changed:
		case <-timeout:
			w.t.Fatalf("nothing tells that the text is %q; it is %v, %v", text, docs, err)
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// told waits for the news of a change that was just made.
func (w *watched) told(what string) {
	w.t.Helper()
	select {
	case <-w.changed:
	case <-time.After(time.Minute):
		w.t.Fatalf("%s: nothing tells of it", what)
	}
}

func (w *watched) forget() {
	select {
	case <-w.changed:
	default:
	}
}

func TestAFileIsWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "hermod.yaml")
	put(t, file, "one")
	w := watch(t, file)
	w.forget()
	put(t, file, "two")
	w.told("written in place")
	w.sees("two")

	for _, text := range []string{"three", "four"} { // an editor: a new file takes its place, again and again
		w.forget()
		put(t, file+"~", text)
		must(t, os.Rename(file+"~", file))
		w.told("replaced")
		w.sees(text)
	}
	w.forget()
	must(t, os.Remove(file))
	w.told("removed")
	w.forget()
	put(t, file, "five")
	w.told("made again")
	w.sees("five")
}

// TestAVolumeOfKubernetesIsWatched: the file is a link to ..data/hermod.yaml, and ..data a link to a
// folder with the version, that is replaced as a whole.
func TestAVolumeOfKubernetesIsWatched(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"the file": "hermod.yaml", "the folder": "."} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mount := filepath.Join(dir, "mount")
			version := func(name, text string) {
				t.Helper()
				must(t, os.MkdirAll(filepath.Join(mount, name), 0o700))
				put(t, filepath.Join(mount, name, "hermod.yaml"), text)
				must(t, os.Symlink(name, filepath.Join(mount, "..data_tmp")))
				must(t, os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")))
			}
			version("..1", "one")
			must(t, os.Symlink(filepath.Join("..data", "hermod.yaml"), filepath.Join(mount, "hermod.yaml")))
			w := watch(t, filepath.Join(mount, path))
			for _, text := range []string{"two", "three"} {
				w.forget()
				version("..next"+text, text)
				w.told("turned to version " + text)
				w.sees(text)
			}
		})
	}
}

// TestLinksElsewhereAreWatched: a release folder that a link leads to, and a file changed where it is.
func TestLinksElsewhereAreWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, release := range []string{"r1", "r2"} {
		must(t, os.MkdirAll(filepath.Join(dir, "releases", release), 0o700))
		put(t, filepath.Join(dir, "releases", release, "hermod.yaml"), release)
	}
	must(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o700))
	current := filepath.Join(dir, "current")
	must(t, os.Symlink(filepath.Join("releases", "r1"), current))
	must(t, os.Symlink(filepath.Join("..", "current", "hermod.yaml"), filepath.Join(dir, "etc", "hermod.yaml")))
	w := watch(t, filepath.Join(dir, "etc", "hermod.yaml"))
	w.forget()
	must(t, os.Symlink(filepath.Join("releases", "r2"), current+"~"))
	must(t, os.Rename(current+"~", current))
	w.told("the link above was turned")
	w.sees("r2")
	w.forget()
	put(t, filepath.Join(dir, "releases", "r2", "hermod.yaml"), "changed there")
	w.told("changed where the link leads now")
	w.sees("changed there")
}

func TestAFolderIsWatched(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "conf.d")
	must(t, os.MkdirAll(dir, 0o700))
	put(t, filepath.Join(dir, "20.yaml"), "later")
	w := watch(t, dir+string(filepath.Separator))
	w.forget()
	put(t, filepath.Join(dir, "10.yaml"), "earlier")
	w.told("a new file")
	w.sees("earlier")
}

func TestLinksThatLeadNowhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Symlink("b", filepath.Join(dir, "a")))
	must(t, os.Symlink("a", filepath.Join(dir, "b")))
	if got := File(filepath.Join(dir, "a", "x.yaml")).folders(); len(got) == 0 {
		t.Error("no folder to watch")
	}
}
