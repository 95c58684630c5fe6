package imactions_test

import (
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestSearching: Search is an action, in either notation, of one's own rooms alone.
func TestSearching(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			b.member("r", "alice")
			b.member("r", "bob")
			b.say("r", "bob", "hello 天气很好")
			b.say("r", "bob", "bye")
			alice, eve := b.login(f, "alice", ""), b.login(f, "eve", "")
			var found *imv1.SearchResponse
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				found = call(alice, "im.search", &imv1.SearchRequest{Query: "天气 HELLO"}, &imv1.SearchResponse{})
				if !found.GetIncomplete() {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the index stays behind")
				}
			}
			if m := found.GetMessages(); len(m) != 1 || m[0].GetSeq() != 1 || m[0].GetFromUserId() != "bob" || found.GetStatus() == nil {
				t.Errorf("found %v", found)
			}
			if none := call(eve, "im.search", &imv1.SearchRequest{Query: "hello"}, &imv1.SearchResponse{}); len(none.GetMessages()) != 0 {
				t.Errorf("eve found %v", none)
			}
			alice.refused("im.search", &imv1.SearchRequest{Query: "?"}, 400, "EMPTY_QUERY")
			eve.refused("im.search", &imv1.SearchRequest{Query: "x", RoomIds: []string{"r"}}, 403, "NOT_A_MEMBER")
			eve.refused("im.search", &imv1.SearchRequest{Query: "x", UserId: "alice"}, 403, "FOREIGN_USER")
		})
	}
}
