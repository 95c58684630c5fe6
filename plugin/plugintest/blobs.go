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
			test(blobBench{t, fresh(t)})
		})
	}
}

// blobContract is what every store has to pass. Each test has a store of its own.
var blobContract = map[string]func(blobBench){
	"a blob is whole or absent": func(b blobBench) {
		w := b.create("a", "one ", "two ")
		b.wantAbsent("a")
		if _, err := io.WriteString(w, "three"); err != nil {
			b.t.Fatal(err)
		}
		b.wantAbsent("a")
		if err := w.Commit(); err != nil {
			b.t.Fatal(err)
		}
		b.want("a", "one two three")
		b.commit("empty")
		b.want("empty", "")
	},
	"a large one": func(b blobBench) {
		large := make([]byte, 12<<20+1) // two parts and a half
		_, _ = rand.NewChaCha8([32]byte{1}).Read(large)
		w := b.create("large")
		for rest := large; len(rest) > 0; {
			n := min(len(rest), 32<<10)
			if _, err := w.Write(rest[:n]); err != nil {
				b.t.Fatal(err)
			}
			rest = rest[n:]
		}
		b.wantAbsent("large")
		if err := w.Commit(); err != nil {
			b.t.Fatal(err)
		}
		if got := b.read("large"); got != string(large) {
			b.t.Errorf("read %d bytes of %d, or others", len(got), len(large))
		}
		exact := make([]byte, 10<<20) // no part is left for the end
		b.commit("exactly", string(exact))
		if got := b.read("exactly"); got != string(exact) {
			b.t.Errorf("read %d bytes", len(got))
		}
	},
	"discarded": func(b blobBench) {
		for range 2 { // the name is free again
			if err := b.create("a", "half").Discard(); err != nil {
				b.t.Fatal(err)
			}
			if err := b.create("b", strings.Repeat("x", 6<<20)).Discard(); err != nil {
				b.t.Fatal(err)
			}
		}
		b.wantAbsent("a")
		b.wantAbsent("b")
		if left := b.names(time.Now().Add(time.Hour)); len(left) > 0 {
			b.t.Errorf("left: %v", left)
		}
	},
	"discarded after the end of its context": func(b blobBench) {
		ctx, cancel := context.WithCancel(b.t.Context())
		w, err := b.blobs.Create(ctx, "a")
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := io.WriteString(w, strings.Repeat("x", 6<<20)); err != nil {
			b.t.Fatal(err)
		}
		cancel()
		if err := w.Discard(); err != nil {
			b.t.Error(err)
		}
		b.wantAbsent("a")
	},
	"seeks": func(b blobBench) {
		text := strings.Repeat("0123456789", 60_000)
		b.commit("a", text)
		r := b.open("a")
		for _, part := range [][2]int{{0, 10}, {len(text) - 3, 3}, {299_999, 200_001}, {5, 5}, {5, 400_000}} {
			if _, err := r.Seek(int64(part[0]), io.SeekStart); err != nil {
				b.t.Fatal(err)
			}
			got := make([]byte, part[1])
			if _, err := io.ReadFull(r, got); err != nil || string(got) != text[part[0]:part[0]+part[1]] {
				b.t.Errorf("at %d: other bytes, or %v", part[0], err)
			}
		}
		if n, err := r.Seek(-3, io.SeekEnd); n != int64(len(text)-3) || err != nil {
			b.t.Error(n, err)
		}
		if n, err := r.Seek(1, io.SeekCurrent); n != int64(len(text)-2) || err != nil {
			b.t.Error(n, err)
		}
		if rest, err := io.ReadAll(r); string(rest) != "89" || err != nil {
			b.t.Errorf("%q, %v", rest, err)
		}
		if _, err := r.Seek(1, io.SeekEnd); err != nil {
			b.t.Error(err)
		}
		if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
			b.t.Errorf("beyond the end: %q, %v", rest, err)
		}
		if _, err := r.Seek(-1, io.SeekStart); err == nil {
			b.t.Error("sought before the beginning")
		}
	},
	"deleted": func(b blobBench) {
		b.commit("a", "x")
		for range 2 { // it is no error when there is none
			if err := b.blobs.Delete(b.t.Context(), "a"); err != nil {
				b.t.Fatal(err)
			}
			b.wantAbsent("a")
		}
	},
	"names": func(b blobBench) {
		for _, name := range []string{
			"", ".", "..", "../secret", "/etc/passwd", "a/b", `a\b`, "a.part", "a\x00", "ä", strings.Repeat("a", 129), "..%2fsecret",
		} {
			if w, err := b.blobs.Create(b.t.Context(), name); err == nil {
				b.t.Errorf("%q was created: %v", name, w.Discard())
			}
			b.wantAbsent(name)
			if err := b.blobs.Delete(b.t.Context(), name); err != nil {
				b.t.Errorf("delete %q: %v", name, err)
			}
		}
		for _, name := range []string{"a", "A-9", strings.Repeat("a", 128)} {
			b.commit(name, name)
			b.want(name, name)
		}
	},
	"each": func(b blobBench) {
		var want []string
		for i := range 12 {
			want = append(want, fmt.Sprintf("name-%02d", i))
			b.commit(want[i], "x")
		}
		w := b.create("running", strings.Repeat("x", 6<<20))
		if got := b.names(time.Now().Add(time.Hour)); !slices.Equal(got, want) {
			b.t.Errorf("got %v", got)
		}
		if got := b.names(time.Now().Add(-time.Hour)); len(got) > 0 {
			b.t.Errorf("before they were there: %v", got)
		}
		_ = w.Discard() // what was begun may be swept already
		b.wantAbsent("running")
		enough := errors.New("enough")
		err := b.blobs.Each(b.t.Context(), time.Now().Add(time.Hour), func(string) error { return enough })
		if !errors.Is(err, enough) {
			b.t.Errorf("got %v", err)
		}
	},
	"a younger upload goes on": func(b blobBench) {
		w := b.create("a", strings.Repeat("x", 6<<20))
		if got := b.names(time.Now().Add(-time.Hour)); len(got) > 0 {
			b.t.Errorf("got %v", got)
		}
		if err := w.Commit(); err != nil {
			b.t.Fatal(err)
		}
		b.want("a", strings.Repeat("x", 6<<20))
	},
	"canceled": func(b blobBench) {
		b.commit("a", "x")
		ctx, cancel := context.WithCancel(b.t.Context())
		cancel()
		_, createErr := b.blobs.Create(ctx, "b")
		_, openErr := b.blobs.Open(ctx, "a")
		for what, err := range map[string]error{
			"create": createErr, "open": openErr, "delete": b.blobs.Delete(ctx, "a"),
			"each": b.blobs.Each(ctx, time.Now().Add(time.Hour), func(string) error { return nil }),
		} {
			if !errors.Is(err, context.Canceled) {
				b.t.Errorf("%s: %v", what, err)
			}
		}
		b.want("a", "x")
	},
	"many at once": func(b blobBench) {
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				name, text := fmt.Sprintf("n%d", i), bytes.Repeat([]byte{byte(i)}, 10_000)
				w, err := b.blobs.Create(b.t.Context(), name)
				if err != nil {
					b.t.Error(err)
					return
				}
				if _, err := w.Write(text); err != nil {
					b.t.Error(err)
				}
				end := w.Commit
				if i%2 == 0 {
					end = w.Discard
				}
				if err := end(); err != nil {
					b.t.Error(err)
				}
			})
		}
		wg.Wait()
		for i := 1; i < 12; i += 2 {
			b.want(fmt.Sprintf("n%d", i), strings.Repeat(string(rune(i)), 10_000))
			b.wantAbsent(fmt.Sprintf("n%d", i-1))
		}
	},
}
