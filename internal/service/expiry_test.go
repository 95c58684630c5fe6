package service_test

import (
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// TestExpiredMessagesAreCounted once, however many nodes look for them, and no others.
func TestExpiredMessagesAreCounted(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	if _, err := st.rooms.Join(t.Context(), biz.Identity{User: "u"}, biz.JoinRequest{Room: "r", User: "u"}); err != nil {
		t.Fatal(err)
	}
	for _, seconds := range []int64{0, 1, 1, 1, 3600} {
		resp, err := st.s.SendMessage(as("u"), &imv1.SendMessageRequest{
			UserId: "u", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("x"), ExpiresInSeconds: seconds,
		})
		if err != nil || resp.GetStatus().GetCode() != 0 {
			t.Fatal(resp, err)
		}
	}
	for deadline := time.Now().Add(time.Minute); st.revisions.Expired() < 3 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	if err := st.stop(); err != nil {
		t.Error(err)
	}
	if n := st.revisions.Expired(); n != 3 {
		t.Errorf("%d are counted", n)
	}
}
