package data

import (
	"bytes"
	"testing"
)

// TestNodesShareASecret: whoever is first makes it, and all find the same, also later.
func TestNodesShareASecret(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		var found [][]byte
		for range 2 {
			db, err := Open(t.Context(), opts, quiet())
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan []byte, 4)
			for range cap(got) {
				go func() {
					value, err := NewSecrets(db).Secret(t.Context(), "name")
					if err != nil {
						t.Error(err)
					}
					got <- value
				}()
			}
			for range cap(got) {
				found = append(found, <-got)
			}
			other, err := NewSecrets(db).Secret(t.Context(), "other")
			if err != nil || bytes.Equal(other, found[0]) {
				t.Errorf("another one: %v, %v", other, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, value := range found {
			if len(value) != 32 || !bytes.Equal(value, found[0]) {
				t.Errorf("%x, and %x", value, found[0])
			}
		}
	})
}
