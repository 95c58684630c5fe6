package biz_test

import (
	"context"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestRulesAreReplaced: what is asked after SetRules follows the new rules.
func TestRulesAreReplaced(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	rooms := newRooms(s, l, biz.RoomRules{})
	alice := biz.Identity{User: "alice"}
	join := func(room biz.RoomID) error {
		_, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: room})
		return err
	}
	if err := join("a"); biz.KindOf(err) != biz.KindNotFound {
		t.Errorf("a room is made against the rules: %v", err)
	}
	rooms.SetRules(openRules)
	if err := join("a"); err != nil {
		t.Error(err)
	}

	messages := biz.NewMessages(s, s, s, l, biz.MessageRules{MaxContentBytes: 3, MaxMetadataBytes: 100})
	send := func() (err error) {
		d := &biz.Draft{Message: biz.Message{Room: "a", Type: biz.TypeText, Content: []byte("four")}}
		messages.Send(context.Background(), alice, d, func(_ biz.Receipt, e error) { err = e })
		return err
	}
	if err := send(); biz.KindOf(err) != biz.KindInvalid {
		t.Errorf("4 of 3 bytes: %v", err)
	}
	messages.SetRules(biz.MessageRules{MaxContentBytes: 4, MaxMetadataBytes: 100})
	if err := send(); err != nil {
		t.Errorf("4 of 4 bytes: %v", err)
	}
}
