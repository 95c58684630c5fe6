package imactions_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// fill has bob send n messages to a room, without a session.
func (b *bench) fill(room biz.RoomID, n int, content string) {
	b.t.Helper()
	for i := range n {
		done := make(chan error, 1)
		d := &biz.Draft{Message: biz.Message{Room: room, Type: biz.TypeText, Content: []byte(content), ClientID: fmt.Sprint(i)}}
		b.messages.Send(b.t.Context(), biz.Identity{User: "bob"}, d, func(_ biz.Receipt, err error) { done <- err })
		if err := <-done; err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestLookingBack: the calls of im.v1 that look back are actions, in either notation.
func TestLookingBack(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			b.member("r", "alice")
			b.member("r", "bob")
			b.fill("r", 5, "hello")
			alice, eve := b.login(f, "alice", ""), b.login(f, "eve", "")
			after := int64(1)
			past := call(alice, "im.history", &imv1.HistoryRequest{RoomId: "r", AfterSeq: &after, Limit: 2}, &imv1.HistoryResponse{})
			if m := past.GetMessages(); len(m) != 2 || m[0].GetSeq() != 2 || string(m[0].GetContent()) != "hello" || m[0].GetFromUserId() != "bob" || !past.GetMore() || past.GetHeadSeq() != 5 {
				t.Errorf("the past: %v", past)
			}
			req := &imv1.SyncRequest{Cursors: map[string]int64{"r": 1}, Limit: 3}
			first := call(alice, "IM.Sync", req, &imv1.SyncResponse{})
			req.PageToken = first.GetNextPageToken()
			last := call(alice, "im.sync", req, &imv1.SyncResponse{})
			if len(first.GetRooms()) != 1 || len(first.GetRooms()[0].GetMessages()) != 3 || len(last.GetRooms()) != 1 || last.GetNextPageToken() != "" ||
				len(last.GetSnapshot()) != 1 || last.GetSnapshot()[0].GetUnread() != 5 {
				t.Errorf("missed %v, then %v", first, last)
			}
			marked := call(alice, "im.read", &imv1.MarkReadRequest{RoomId: "r", Seq: 4}, &imv1.MarkReadResponse{})
			if s := marked.GetState(); s.GetReadSeq() != 4 || s.GetUnread() != 1 || s.GetHeadSeq() != 5 {
				t.Errorf("marked: %v", marked)
			}
			eve.refused("im.history", &imv1.HistoryRequest{RoomId: "r"}, 403, "NOT_A_MEMBER")
			eve.refused("im.history", &imv1.HistoryRequest{RoomId: "r", UserId: "alice"}, 403, "FOREIGN_USER")
			eve.refused("im.sync", &imv1.SyncRequest{PageToken: req.GetPageToken()}, 400, "INVALID_PAGE_TOKEN")
			eve.refused("im.read", &imv1.MarkReadRequest{RoomId: "r", Seq: 1}, 403, "NOT_A_MEMBER")
			alice.refused("im.read", &imv1.MarkReadRequest{RoomId: "r", Seq: 6}, 400, "ABOVE_HEAD")
			eve.quiet()
		})
	}
}

// TestPagesFitIntoAQueue: however much there is, an answer leaves room for others in its session, and page
// by page everything comes.
func TestPagesFitIntoAQueue(t *testing.T) {
	t.Parallel()
	const messages = 300
	s := usual()
	s.queue = 64 << 10
	b := newBench(t, s)
	b.member("r", "alice")
	b.member("r", "bob")
	b.fill("r", messages, strings.Repeat("x", 1000))
	for name, f := range formats {
		alice := b.login(f, "alice", "")
		ask := func(action string, req, into proto.Message) {
			t.Helper()
			id := alice.say(action, alice.marshal(req))
			p := alice.take()
			alice.ack()
			if a := alice.read(p); p.GetMsgId() != id || p.GetType() != gatewayv1.PushType_PUSH_BUSINESS_DATA {
				t.Fatalf("%s %s: %+v", name, action, a)
			} else if alice.unmarshal(a.data, into); alice.came.Size() > s.queue/2 {
				t.Fatalf("%s %s: an answer of %d bytes", name, action, alice.came.Size())
			}
		}
		var after int64
		for more := true; more; {
			past := &imv1.HistoryResponse{}
			ask("im.history", &imv1.HistoryRequest{RoomId: "r", AfterSeq: &after, Limit: 500}, past)
			for _, m := range past.GetMessages() {
				if after++; m.GetSeq() != after {
					t.Fatalf("%s: %d instead of %d", name, m.GetSeq(), after)
				}
			}
			more = past.GetMore()
		}
		missed, req := 0, &imv1.SyncRequest{Limit: 1000}
		for more := true; more; more = req.GetPageToken() != "" {
			page := &imv1.SyncResponse{}
			ask("im.sync", req, page)
			for _, r := range page.GetRooms() {
				missed += len(r.GetMessages())
			}
			req.PageToken = page.GetNextPageToken()
		}
		if after != messages || missed != messages {
			t.Errorf("%s: %d by im.history, %d by im.sync", name, after, missed)
		}
	}
}
