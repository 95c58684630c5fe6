package outbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/game-im/hermod/sdk/outbox"
	"github.com/game-im/hermod/sdk/upstream"
)

func TestAddRefusesWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	good := message("hall", "good")
	tests := map[string]struct {
		item outbox.Item
		says string
	}{
		"nothing":             {nil, "a Message or a Push"},
		"a pointer":           {&good, "no pointer"},
		"nobody's message":    {outbox.Message{RoomID: "hall"}, "UserID is empty"},
		"a message nowhere":   {outbox.Message{UserID: "ann"}, "exactly one"},
		"a message twice":     {outbox.Message{UserID: "ann", RoomID: "hall", ToUserID: "bob"}, "exactly one"},
		"an id with a blank":  {message("hall", "a b"), "printable ASCII"},
		"a long id":           {message("hall", strings.Repeat("x", 201)), "1 to 200"},
		"not UTF-8":           {message("\xff", "id"), "UTF-8"},
		"metadata not UTF-8":  {outbox.Message{UserID: "ann", RoomID: "hall", Metadata: map[string]string{"k": "\xff"}}, "UTF-8"},
		"a large message":     {outbox.Message{UserID: "ann", RoomID: "hall", Content: make([]byte, 4<<20)}, "at most 4194304"},
		"a negative lifetime": {outbox.Message{UserID: "ann", RoomID: "hall", ExpireAfter: -1}, "negative"},
		"a push to a room":    {outbox.Push{To: upstream.Target{Type: "room", ID: "hall"}}, "openid, gid and session"},
		"a push to nobody":    {outbox.Push{To: upstream.OpenID("")}, "To.ID is empty"},
		"a negative TTL":      {outbox.Push{To: upstream.OpenID("ann"), TTL: -1}, "negative"},
		"a long wait":         {outbox.Push{To: upstream.OpenID("ann"), WaitForAck: time.Minute}, "0 to 30s"},
	}
	for name, tt := range tests {
		err := db.Transaction(func(tx *gorm.DB) error { return box.Add(tx, good, tt.item) })
		if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "items[1]") {
			t.Errorf("%s: error %v; want one of items[1] that says %q", name, err, tt.says)
		}
	}
	if backlog, err := box.Backlog(t.Context()); err != nil || backlog.Waiting != 0 {
		t.Errorf("the backlog is %+v, error %v; want none", backlog, err)
	}
}

func TestAddNeedsATransaction(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	if err := box.Add(db, message("hall", "id")); !errors.Is(err, outbox.ErrNoTransaction) {
		t.Errorf("error %v; want ErrNoTransaction", err)
	}
	// However the transaction was begun, and whatever was asked of it.
	tx := db.WithContext(t.Context()).Begin()
	if err := box.Add(tx.Where("n = ?", 1).Table("orders"), message("hall", "id")); err != nil {
		t.Error(err)
	}
	if err := tx.Commit().Error; err != nil {
		t.Fatal(err)
	}
	nested := func(tx *gorm.DB) error {
		_ = tx.Transaction(func(inner *gorm.DB) error {
			if err := box.Add(inner, message("hall", "rolled-back")); err != nil {
				t.Error(err)
			}
			return errors.New("no")
		})
		return box.Add(tx, message("hall", "kept"))
	}
	if err := db.Transaction(nested); err != nil {
		t.Fatal(err)
	}
	if backlog, err := box.Backlog(t.Context()); err != nil || backlog.Waiting != 2 || time.Since(backlog.Oldest) > time.Hour {
		t.Errorf("the backlog is %+v, error %v; want two", backlog, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, box := newBox(t)
	if _, err := outbox.NewRelay(box, outbox.Clients{}, outbox.Options{}); err == nil {
		t.Error("a relay without clients is made")
	}
	clients := outbox.Clients{IM: hermod(nil)}
	_, err := outbox.NewRelay(box, clients, outbox.Options{
		Poll: -1, Lanes: 1001, Attempts: -1, Lease: time.Second, FirstBackoff: time.Minute, MaxBackoff: time.Second, GiveUpAfter: 24 * time.Hour,
	})
	for _, field := range []string{"Poll", "Lanes", "Attempts", "Lease", "MaxBackoff", "GiveUpAfter"} {
		if err == nil || !strings.Contains(err.Error(), field+" is ") {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
	if _, err := outbox.Schema("oracle"); err == nil || !strings.Contains(err.Error(), "sqlite") {
		t.Errorf("error %v does not say what is allowed", err)
	}
}
