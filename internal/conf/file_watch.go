package conf

import (
	"context"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// maxLinks is how many symbolic links are followed, as most systems do.
const maxLinks = 40

// Watch implements Source. A file is not watched itself but every folder on the way to it: editors
// put a new file in its place, and Kubernetes turns a symbolic link above it. Where the system tells
// of no changes, as on network file systems, none is seen here.
func (f File) Watch(ctx context.Context, changed func()) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return // out of watches: whoever reads from time to time still sees changes
	}
	defer w.Close() //nolint:errcheck // nothing can be done about it
	for first := true; ; first = false {
		for _, dir := range f.folders() {
			_ = w.Add(dir) // again after each change: what it leads to may be another folder
		}
		if first {
			changed() // there may have been a change before
		}
		select {
		case <-ctx.Done():
			return
		case _, open := <-w.Events:
			if !open {
				return
			}
			changed()
		case _, open := <-w.Errors: // events were lost
			if !open {
				return
			}
			changed()
		}
	}
}

// folders returns every folder in which a change may make another file of this one: its own and,
// for each symbolic link on the way, where that is and where it leads.
func (f File) folders() []string {
	path, err := filepath.Abs(f.String())
	if err != nil {
		return nil
	}
	var dirs []string
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dirs = append(dirs, path)
	}
	for range maxLinks {
		dirs = append(dirs, filepath.Dir(path))
		next, found := followFirst(path)
		if !found {
			return dirs
		}
		dirs = append(dirs, filepath.Dir(next.link))
		path = next.path
	}
	return dirs
}

// hop is one symbolic link on a path, and the path without it.
type hop struct{ link, path string }

// followFirst replaces the first symbolic link of an absolute path.
func followFirst(path string) (hop, bool) {
	var parents []string
	for p := path; p != filepath.Dir(p); p = filepath.Dir(p) {
		parents = append(parents, p)
	}
	for i := len(parents) - 1; i >= 0; i-- {
		link := parents[i]
		to, err := os.Readlink(link)
		if err != nil {
			continue
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(link), to)
		}
		return hop{link: link, path: filepath.Join(to, path[len(link):])}, true
	}
	return hop{}, false
}
