package data

import (
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// TestPushKeysOutliveTheirNode: what was begun is found begun, what was answered answered.
func TestPushKeysOutliveTheirNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun, answered := biz.PushKey{Caller: "c", Key: "begun"}, biz.PushKey{Caller: "c", Key: "answered"}
	record := biz.PushRecord{Hash: [32]byte{1}, PushID: "id", Time: time.Now()}
	db := openDB(t, dir)
	keys := NewPushKeys(db, quiet())
	for _, k := range []biz.PushKey{begun, answered} {
		if earlier, err := keys.Begin(t.Context(), k, record); earlier != nil || err != nil {
			t.Fatalf("%+v, %v", earlier, err)
		}
	}
	keys.Finish(t.Context(), answered, biz.PushAnswer{Broadcast: biz.BroadcastCounts{Sent: 1, Total: 2}})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	keys.Finish(t.Context(), begun, biz.PushAnswer{}) // too late, which nobody is told

	keys = NewPushKeys(openDB(t, dir), quiet())
	if earlier, err := keys.Begin(t.Context(), begun, record); err != nil || earlier == nil || earlier.Answer != nil || earlier.Hash != record.Hash {
		t.Errorf("begun: %+v, %v", earlier, err)
	}
	if earlier, err := keys.Begin(t.Context(), answered, record); err != nil || earlier == nil || earlier.Answer == nil || earlier.Answer.Broadcast.Total != 2 {
		t.Errorf("answered: %+v, %v", earlier, err)
	}
}

// TestPushKeysThatCannotBeRead: a damaged row is a fault that is told, and no free key.
func TestPushKeysThatCannotBeRead(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	keys := NewPushKeys(db, quiet())
	k := biz.PushKey{Key: "k"}
	for _, damage := range []string{"answer = '{'", `answer = '{"results":[{"outcome":"well"}]}'`, "request_hash = x'00'"} {
		if _, err := keys.Begin(t.Context(), k, biz.PushRecord{Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
		mutate(t, db, "UPDATE push_keys SET "+damage)
		if earlier, err := keys.Begin(t.Context(), k, biz.PushRecord{Time: time.Now()}); biz.AsError(err).Reason != "STORE_CORRUPT" {
			t.Errorf("%s: %+v, %v", damage, earlier, err)
		}
		mutate(t, db, "DELETE FROM push_keys")
	}
}
