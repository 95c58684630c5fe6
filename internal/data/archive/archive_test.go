package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/archive"
)

var quiet = slog.New(slog.DiscardHandler)

type nobody struct{ biz.Deliverer }

func (nobody) Deliver(*biz.Draft) {}

// node is a store that is open as a node has it.
type node struct {
	t   *testing.T
	dir string
	db  *data.DB
	log *data.MessageLog
	end func()
}

func storeIn(dir string) archive.Store {
	return archive.Store{Database: data.Options{Dir: dir}, Blobs: filepath.Join(dir, "blobs")}
}

func start(t *testing.T, dir string) *node {
	t.Helper()
	db, err := data.Open(t.Context(), data.Options{Dir: dir}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	log, err := data.NewMessageLog(db, nobody{}, data.LogOptions{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	n := &node{t: t, dir: dir, db: db, log: log}
	ended := false
	n.end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(n.end)
	_, err = data.NewMembers(db).Join(t.Context(), "r", "u", func(s biz.JoinState) (biz.JoinPlan, error) {
		plan := biz.JoinPlan{Member: biz.Member{Room: "r", User: "u"}}
		if s.Room == nil {
			plan.Create = &biz.Room{ID: "r", Config: biz.DefaultRoomConfig()}
		}
		return plan, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) say(texts ...string) {
	n.t.Helper()
	for _, text := range texts {
		done := make(chan error, 1)
		d := &biz.Draft{Message: biz.Message{Room: "r", Sender: "u", Type: biz.TypeText, Content: []byte(text)}}
		n.log.Append(d, func(_ biz.Receipt, err error) { done <- err })
		if err := <-done; err != nil {
			n.t.Fatal(err)
		}
	}
}

func (n *node) wantSaid(texts ...string) {
	n.t.Helper()
	page, err := n.log.Page(context.Background(), "r", 0, 1000)
	var got []string
	for _, m := range page {
		got = append(got, string(m.Content))
	}
	if err != nil || strings.Join(got, " ") != strings.Join(texts, " ") {
		n.t.Errorf("said %q, %v; want %q", got, err, texts)
	}
}

// record stores a recording; without content there is no file of it.
func (n *node) record(content string) (id string) {
	n.t.Helper()
	id = uuid.NewString()
	if content != "" {
		blobs := filepath.Join(n.dir, "blobs")
		if err := errors.Join(os.MkdirAll(blobs, 0o700), os.WriteFile(filepath.Join(blobs, id), []byte(content), 0o600)); err != nil {
			n.t.Fatal(err)
		}
	}
	err := data.NewAudios(n.db).Add(n.t.Context(), biz.Audio{ID: biz.AudioID(id), Room: "r", User: "u", Format: "opus", CreatedAt: time.Now()}, true)
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

func wantFile(t *testing.T, path, content string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("%s: %q, %v; want %q", path, got, err, content)
	}
}

// only fails unless a folder has exactly these files.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s has %q, %v; want %q", dir, got, err, names)
	}
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	from, to, out := t.TempDir(), filepath.Join(t.TempDir(), "data"), t.TempDir()
	file := filepath.Join(out, "backup.tar")
	n := start(t, from)
	n.say("1", "2")
	kept, gone := n.record("sounds"), n.record("")
	made, err := archive.Write(t.Context(), storeIn(from), file, "v1")
	if err != nil || made.Recordings != 1 || made.Bytes != 6 || made.Gone != 1 || made.Version != "v1" || made.Database == 0 {
		t.Fatalf("made %+v, %v", made, err)
	}
	only(t, out, "backup.tar")
	n.say("3") // the node goes on, and may stop, without the backup
	n.wantSaid("1", "2", "3")
	if _, err := archive.Write(t.Context(), storeIn(from), file, ""); err == nil || !strings.Contains(err.Error(), "overwrites nothing") {
		t.Errorf("a second one: %v", err)
	}

	r, err := archive.Restore(t.Context(), file, storeIn(to))
	if err != nil || len(r.Replaced) > 0 || r.Manifest != made.Manifest || r.Recordings != 1 {
		t.Fatalf("restored %+v, %v", r, err)
	}
	only(t, to, "blobs", "hermod.db", "hermod.db.lock")
	wantFile(t, filepath.Join(to, "blobs", kept), "sounds")
	again := start(t, to)
	again.wantSaid("1", "2")
	again.say("other")
	for _, id := range []string{kept, gone} {
		if _, err := data.NewAudios(again.db).Audio(t.Context(), biz.AudioID(id)); err != nil {
			t.Error(err)
		}
	}
}

// TestRestoreReplaces: what was there before, also what a killed node has left in its log, is kept aside
// and whole.
func TestRestoreReplaces(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	file := filepath.Join(t.TempDir(), "backup.tar")
	n := start(t, from)
	n.say("backed", "up")
	if _, err := archive.Write(t.Context(), storeIn(from), file, ""); err != nil {
		t.Fatal(err)
	}
	running := start(t, t.TempDir())
	running.say("older", "data")
	killed(t, running, to)
	if err := os.MkdirAll(filepath.Join(to, "restoring", "x"), 0o700); err != nil { // of one that was interrupted
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(to, "blobs"), 0o700), os.WriteFile(filepath.Join(to, "blobs", "old"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Restore(t.Context(), file, storeIn(to))
	if err != nil || len(r.Replaced) != 1 || filepath.Dir(r.Replaced[0]) != to {
		t.Fatalf("restored %+v, %v", r, err)
	}
	restored := start(t, to)
	restored.wantSaid("backed", "up")
	restored.end()
	only(t, filepath.Join(to, "blobs"))
	wantFile(t, filepath.Join(r.Replaced[0], "blobs", "old"), "")
	before := start(t, r.Replaced[0])
	before.wantSaid("older", "data")
}

// TestRestoreFollowsALink: the database is where the link leads, and the link stays.
func TestRestoreFollowsALink(t *testing.T) {
	t.Parallel()
	file, to, elsewhere := backup(t), t.TempDir(), t.TempDir()
	n := start(t, elsewhere)
	n.say("mine")
	n.end()
	if err := os.Symlink(filepath.Join(elsewhere, "hermod.db"), filepath.Join(to, "hermod.db")); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Restore(t.Context(), file, storeIn(to))
	if err != nil || len(r.Replaced) != 1 || filepath.Dir(r.Replaced[0]) != elsewhere {
		t.Fatalf("restored %+v, %v", r, err)
	}
	if info, err := os.Lstat(filepath.Join(to, "hermod.db")); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link: %v, %v", info, err)
	}
	restored := start(t, elsewhere)
	restored.wantSaid("1")
	restored.end()
	start(t, r.Replaced[0]).wantSaid("mine")
}

// killed leaves in dir what a node that was killed would have left.
func killed(t *testing.T, n *node, dir string) {
	t.Helper()
	for _, name := range []string{"hermod.db", "hermod.db-wal"} {
		b, err := os.ReadFile(filepath.Join(n.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// backup makes one of a small store.
func backup(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "backup.tar")
	n := start(t, t.TempDir())
	n.say("1")
	n.record("sounds")
	if _, err := archive.Write(t.Context(), storeIn(n.dir), file, ""); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRestoreRefuses what is not whole, not ours or not understood, and has changed nothing then.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(backup(t))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 1
		return b
	}
	inDatabase, inBlob := 10_000, bytes.Index(whole, []byte("sounds"))
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"nothing":                 {nil, "no backup of Hermod"},
		"something else":          {[]byte(strings.Repeat("something else", 1000)), "no backup of Hermod"},
		"another tar file":        {repack(t, whole, map[string]string{"manifest.json": ""}), "no backup of Hermod"},
		"a bit of the database":   {changed(inDatabase), "damaged"},
		"a bit of a recording":    {changed(inBlob), "damaged"},
		"cut in the database":     {whole[:20_000], "cut off"},
		"cut before the sums":     {whole[:bytes.LastIndex(whole, []byte("SHA256SUMS"))], "cut off"},
		"cut in the sums":         {whole[:bytes.LastIndex(whole, []byte("manifest.json"))], "cut off"},
		"a manifest of nonsense":  {repack(t, whole, map[string]string{"manifest.json": "x"}), "damaged"},
		"a newer format":          {repack(t, whole, map[string]string{"manifest.json": `{"format": 2}`}), "format 2"},
		"a newer schema":          {repack(t, whole, map[string]string{"manifest.json": `{"format": 1, "schema": 99}`}), "written by a newer node"},
		"no database":             {repack(t, whole, map[string]string{"hermod.db": ""}), ""},
		"a way out of the folder": {repack(t, whole, map[string]string{"blobs/../../x": "x"}), "does not belong"},
		"what nobody knows":       {repack(t, whole, map[string]string{"x": "x"}), "does not belong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, to := filepath.Join(t.TempDir(), "backup.tar"), t.TempDir()
			if err := os.WriteFile(file, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			n := start(t, to)
			n.say("mine")
			n.end()
			r, err := archive.Restore(t.Context(), file, storeIn(to))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("restored %+v, %v; want %q", r, err, test.want)
			}
			only(t, to, "hermod.db", "hermod.db.lock")
			start(t, to).wantSaid("mine")
		})
	}
}

// repack changes parts of a backup, takes those away that are to be empty, and adds others in front of the
// database. The sums stay as they were.
func repack(t *testing.T, whole []byte, parts map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name, content string) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	left := map[string]string{}
	for name, content := range parts {
		left[name] = content
	}
	for r := tar.NewReader(bytes.NewReader(whole)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		content, readErr := io.ReadAll(r)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		if other, ok := parts[h.Name]; ok {
			content = []byte(other)
			delete(left, h.Name)
		}
		if len(content) > 0 {
			add(h.Name, string(content))
		}
		if h.Name != "manifest.json" {
			continue
		}
		for name, content := range parts {
			if name != "manifest.json" && name != "hermod.db" {
				add(name, content)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestRestoreRefusesWhereANodeRuns: neither does a second node start there.
func TestRestoreRefusesWhereANodeRuns(t *testing.T) {
	t.Parallel()
	file, to := backup(t), t.TempDir()
	n := start(t, to)
	n.say("mine")
	if r, err := archive.Restore(t.Context(), file, storeIn(to)); !errors.Is(err, data.ErrInUse) || !strings.Contains(err.Error(), "stop the node first") {
		t.Errorf("restored %+v, %v", r, err)
	}
	if db, err := data.Open(t.Context(), data.Options{Dir: to}, quiet); !errors.Is(err, data.ErrInUse) {
		t.Errorf("a second node started: %v, %v", db, err)
	}
	n.say("again")
	n.wantSaid("mine", "again")
	n.end()
	if _, err := archive.Restore(t.Context(), file, storeIn(to)); err != nil {
		t.Error(err)
	}
}

// TestBackupLeavesNothingHalf: of nothing, into no folder, or canceled.
func TestBackupLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if made, err := archive.Write(t.Context(), storeIn(t.TempDir()), filepath.Join(out, "a"), ""); err == nil {
		t.Errorf("of nothing: %+v", made)
	}
	n := start(t, t.TempDir())
	if made, err := archive.Write(t.Context(), storeIn(n.dir), filepath.Join(out, "no", "a"), ""); err == nil {
		t.Errorf("into no folder: %+v", made)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if made, err := archive.Write(ctx, storeIn(n.dir), filepath.Join(out, "a"), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %+v, %v", made, err)
	}
	only(t, out)
}

// TestCommonToolsReadABackup: tar and sha256sum.
func TestCommonToolsReadABackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"tar", "-xf", backup(t)}, {"sha256sum", "--check", "SHA256SUMS"}} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	only(t, dir, "SHA256SUMS", "blobs", "hermod.db", "manifest.json")
}

// FuzzRestore: whatever is in the file, nothing but a whole backup is restored, and nothing is written
// outside of the data's folder.
func FuzzRestore(f *testing.F) {
	f.Add([]byte{})
	for _, parts := range [][2]string{{"manifest.json", `{"format":1,"schema":1}`}, {"hermod.db", "x"}, {"../x", "x"}} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: parts[0], Size: int64(len(parts[1]))})
		_, writeErr := io.WriteString(w, parts[1])
		if err := errors.Join(err, writeErr, w.Close()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		around := t.TempDir()
		file, to := filepath.Join(around, "file"), filepath.Join(around, "data")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := archive.Restore(t.Context(), file, storeIn(to)); err == nil {
			t.Errorf("restored %+v", r)
		}
		only(t, around, "data", "file")
		only(t, to, "hermod.db.lock")
	})
}
