package imactions_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestRevisionActions: the calls about messages are actions, in either notation; the session that asks is answered,
// and told as all others are.
func TestRevisionActions(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			b.member("r", "bob")
			b.member("r", "alice")
			b.fill("r", 1, "helo")
			bob, alice := b.login(f, "bob", ""), b.login(f, "alice", "")
			edited := call(bob, "im.edit", &imv1.EditMessageRequest{RoomId: "r", Seq: 1, Content: []byte("hello")}, &imv1.EditMessageResponse{})
			if edited.GetSeq() != 2 || edited.GetState().GetEdits() != 1 {
				t.Errorf("edited: %v", edited)
			}
			if a := alice.ask("im.open", nil); a.code != 200 {
				t.Fatalf("%+v", a)
			}
			first, second := alice.message(alice.take()), alice.message(alice.take())
			told := &imv1.SystemContent{}
			if string(first.GetContent()) != "hello" || first.GetState().GetVersion() != 1 || second.GetMetadata()["event_type"] != "message_edited" {
				t.Errorf("caught up with %v, %v", first, second)
			} else if err := proto.Unmarshal(second.GetContent(), told); err != nil || told.GetTargetSeq() != 1 || string(told.GetContent()) != "hello" {
				t.Errorf("told: %v, %v", told, err)
			}
			b.live(3)
			reacted := call(bob, "IM.React", &imv1.ReactRequest{RoomId: "r", Seq: 1, Reaction: "👍"}, &imv1.ReactResponse{})
			if reacted.GetSeq() != 3 {
				t.Errorf("reacted: %v", reacted)
			}
			live := alice.message(alice.take())
			if err := proto.Unmarshal(live.GetContent(), told); err != nil || live.GetSeq() != 3 || told.GetReaction() != "👍" || !proto.Equal(told.GetState(), reacted.GetState()) {
				t.Errorf("told: %v, %v", told, err)
			}
			list := call(bob, "im.reactions", &imv1.ListReactionsRequest{RoomId: "r", Seq: 1}, &imv1.ListReactionsResponse{})
			if len(list.GetReactions()) != 1 || list.GetReactions()[0].GetUserId() != "bob" {
				t.Errorf("listed: %v", list)
			}
			bob.refused("im.react", &imv1.ReactRequest{RoomId: "r", Seq: 1}, 400, "INVALID_REACTION")
			recalled := call(bob, "im.recall", &imv1.RecallMessageRequest{RoomId: "r", Seq: 1}, &imv1.RecallMessageResponse{})
			if recalled.GetSeq() != 4 || !recalled.GetState().GetRecalled() {
				t.Errorf("recalled: %v", recalled)
			}
		})
	}
}
