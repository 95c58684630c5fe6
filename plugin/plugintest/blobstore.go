package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
)

// BlobStore checks stores that fresh makes, each of them ready and empty. It writes some tens of megabytes.
func BlobStore(t *testing.T, fresh func(t *testing.T) plugin.BlobStore) {
	t.Helper()
	for name, test := range blobContract {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(Blobs{t, fresh(t)})
		})
	}
}

// blobContract is what every store has to pass. Each test has a store of its own.
var blobContract = map[string]func(Blobs){
	"a blob is whole or absent": func(b Blobs) {
		w := b.Create("a", "one ", "two ")
		b.WantAbsent("a")
		if _, err := io.WriteString(w, "three"); err != nil {
			b.T.Fatal(err)
		}
		b.WantAbsent("a")
		if err := w.Commit(); err != nil {
			b.T.Fatal(err)
		}
		b.Want("a", "one two three")
		b.Commit("empty")
		b.Want("empty", "")
	},
	"a large one": func(b Blobs) {
		large := make([]byte, 12<<20+1) // two parts and a half
		_, _ = rand.NewChaCha8([32]byte{1}).Read(large)
		w := b.Create("large")
		for rest := large; len(rest) > 0; {
			n := min(len(rest), 32<<10)
			if _, err := w.Write(rest[:n]); err != nil {
				b.T.Fatal(err)
			}
			rest = rest[n:]
		}
		b.WantAbsent("large")
		if err := w.Commit(); err != nil {
			b.T.Fatal(err)
		}
		if got := b.Read("large"); got != string(large) {
			b.T.Errorf("read %d bytes of %d, or others", len(got), len(large))
		}
		exact := make([]byte, 10<<20) // no part is left for the end
		b.Commit("exactly", string(exact))
		if got := b.Read("exactly"); got != string(exact) {
			b.T.Errorf("read %d bytes", len(got))
		}
	},
	"discarded": func(b Blobs) {
		for range 2 { // the name is free again
			if err := b.Create("a", "half").Discard(); err != nil {
				b.T.Fatal(err)
			}
			if err := b.Create("b", strings.Repeat("x", 6<<20)).Discard(); err != nil {
				b.T.Fatal(err)
			}
		}
		b.WantAbsent("a")
		b.WantAbsent("b")
		if left := b.Names(time.Now().Add(time.Hour)); len(left) > 0 {
			b.T.Errorf("left: %v", left)
		}
	},
	"discarded after the end of its context": func(b Blobs) {
		ctx, cancel := context.WithCancel(b.T.Context())
		w, err := b.Store.Create(ctx, "a")
		if err != nil {
			b.T.Fatal(err)
		}
		if _, err := io.WriteString(w, strings.Repeat("x", 6<<20)); err != nil {
			b.T.Fatal(err)
		}
		cancel()
		if err := w.Discard(); err != nil {
			b.T.Error(err)
		}
		b.WantAbsent("a")
	},
	"seeks": func(b Blobs) {
		text := strings.Repeat("0123456789", 60_000)
		b.Commit("a", text)
		r := b.Open("a")
		for _, part := range [][2]int{{0, 10}, {len(text) - 3, 3}, {299_999, 200_001}, {5, 5}, {5, 400_000}} {
			if _, err := r.Seek(int64(part[0]), io.SeekStart); err != nil {
				b.T.Fatal(err)
			}
			got := make([]byte, part[1])
			if _, err := io.ReadFull(r, got); err != nil || string(got) != text[part[0]:part[0]+part[1]] {
				b.T.Errorf("at %d: other bytes, or %v", part[0], err)
			}
		}
		if n, err := r.Seek(-3, io.SeekEnd); n != int64(len(text)-3) || err != nil {
			b.T.Error(n, err)
		}
		if n, err := r.Seek(1, io.SeekCurrent); n != int64(len(text)-2) || err != nil {
			b.T.Error(n, err)
		}
		if rest, err := io.ReadAll(r); string(rest) != "89" || err != nil {
			b.T.Errorf("%q, %v", rest, err)
		}
		if _, err := r.Seek(1, io.SeekEnd); err != nil {
			b.T.Error(err)
		}
		if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
			b.T.Errorf("beyond the end: %q, %v", rest, err)
		}
		if _, err := r.Seek(-1, io.SeekStart); err == nil {
			b.T.Error("sought before the beginning")
		}
	},
	"deleted": func(b Blobs) {
		b.Commit("a", "x")
		for range 2 { // it is no error when there is none
			if err := b.Store.Delete(b.T.Context(), "a"); err != nil {
				b.T.Fatal(err)
			}
			b.WantAbsent("a")
		}
	},
	"names": func(b Blobs) {
		for _, name := range []string{
			"", ".", "..", "../secret", "/etc/passwd", "a/b", `a\b`, "a.part", "a\x00", "ä", strings.Repeat("a", 129), "..%2fsecret",
		} {
			if w, err := b.Store.Create(b.T.Context(), name); err == nil {
				b.T.Errorf("%q was created: %v", name, w.Discard())
			}
			b.WantAbsent(name)
			if err := b.Store.Delete(b.T.Context(), name); err != nil {
				b.T.Errorf("delete %q: %v", name, err)
			}
		}
		for _, name := range []string{"a", "A-9", strings.Repeat("a", 128)} {
			b.Commit(name, name)
			b.Want(name, name)
		}
	},
	"each": func(b Blobs) {
		var want []string
		for i := range 12 {
			want = append(want, fmt.Sprintf("name-%02d", i))
			b.Commit(want[i], "x")
		}
		w := b.Create("running", strings.Repeat("x", 6<<20))
		if got := b.Names(time.Now().Add(time.Hour)); !slices.Equal(got, want) {
			b.T.Errorf("got %v", got)
		}
		if got := b.Names(time.Now().Add(-time.Hour)); len(got) > 0 {
			b.T.Errorf("before they were there: %v", got)
		}
		_ = w.Discard() // what was begun may be swept already
		b.WantAbsent("running")
		enough := errors.New("enough")
		err := b.Store.Each(b.T.Context(), time.Now().Add(time.Hour), func(string) error { return enough })
		if !errors.Is(err, enough) {
			b.T.Errorf("got %v", err)
		}
	},
	"a younger upload goes on": func(b Blobs) {
		w := b.Create("a", strings.Repeat("x", 6<<20))
		if got := b.Names(time.Now().Add(-time.Hour)); len(got) > 0 {
			b.T.Errorf("got %v", got)
		}
		if err := w.Commit(); err != nil {
			b.T.Fatal(err)
		}
		b.Want("a", strings.Repeat("x", 6<<20))
	},
	"canceled": func(b Blobs) {
		b.Commit("a", "x")
		ctx, cancel := context.WithCancel(b.T.Context())
		cancel()
		_, createErr := b.Store.Create(ctx, "b")
		_, openErr := b.Store.Open(ctx, "a")
		for what, err := range map[string]error{
			"create": createErr, "open": openErr, "delete": b.Store.Delete(ctx, "a"),
			"each": b.Store.Each(ctx, time.Now().Add(time.Hour), func(string) error { return nil }),
		} {
			if !errors.Is(err, context.Canceled) {
				b.T.Errorf("%s: %v", what, err)
			}
		}
		b.Want("a", "x")
	},
	"many at once": func(b Blobs) {
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				name, text := fmt.Sprintf("n%d", i), bytes.Repeat([]byte{byte(i)}, 10_000)
				w, err := b.Store.Create(b.T.Context(), name)
				if err != nil {
					b.T.Error(err)
					return
				}
				if _, err := w.Write(text); err != nil {
					b.T.Error(err)
				}
				end := w.Commit
				if i%2 == 0 {
					end = w.Discard
				}
				if err := end(); err != nil {
					b.T.Error(err)
				}
			})
		}
		wg.Wait()
		for i := 1; i < 12; i += 2 {
			b.Want(fmt.Sprintf("n%d", i), strings.Repeat(string(rune(i)), 10_000))
			b.WantAbsent(fmt.Sprintf("n%d", i-1))
		}
	},
}
