package service_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/service"
)

// search asks until all that was said before is in the index.
func search(t *testing.T, s *service.IM, user biz.UserID, req *imv1.SearchRequest) *imv1.SearchResponse {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		resp, err := s.Search(by(t, user), req)
		if err != nil {
			t.Fatal(err)
		}
		if !resp.GetIncomplete() {
			return resp
		}
		if time.Now().After(deadline) {
			t.Fatal("the index stays behind")
		}
	}
}

func said(resp *imv1.SearchResponse) string {
	var b strings.Builder
	for _, m := range resp.GetMessages() {
		fmt.Fprintf(&b, "%s%d ", m.GetRoomId(), m.GetSeq())
	}
	return strings.TrimSpace(b.String())
}

// TestSearch: what is sent is found, soon, without anybody asking for it to be indexed.
func TestSearch(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	join(t, s, "bob", nil)
	say := func(user, text string) time.Time {
		t.Helper()
		resp, err := s.SendMessage(by(t, biz.UserID(user)), &imv1.SendMessageRequest{RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetTimestamp().AsTime()
	}
	say("alice", "Hello, world")
	say("bob", "hello 天气很好")
	third := say("alice", "HELLO again")
	for _, test := range []struct {
		req  *imv1.SearchRequest
		want string
	}{
		{&imv1.SearchRequest{Query: "hello"}, "r3 r2 r1"},
		{&imv1.SearchRequest{Query: "天气"}, "r2"},
		{&imv1.SearchRequest{Query: `"hello world"`, RoomIds: []string{"r"}, UserId: "alice"}, "r1"},
		{&imv1.SearchRequest{Query: "hello", FromUserIds: []string{"alice"}}, "r3 r1"},
		{&imv1.SearchRequest{Query: "hello", Since: timestamppb.New(third)}, "r3"},
		{&imv1.SearchRequest{Query: "hello", Until: timestamppb.New(third.Add(-1))}, "r2 r1"},
		{&imv1.SearchRequest{Query: "bye"}, ""},
	} {
		if got := said(search(t, s, "alice", test.req)); got != test.want {
			t.Errorf("%v: %q, want %q", test.req, got, test.want)
		}
	}
	first := search(t, s, "bob", &imv1.SearchRequest{Query: "hello", Limit: 2})
	last := search(t, s, "bob", &imv1.SearchRequest{Query: "hello", Limit: 2, PageToken: first.GetNextPageToken()})
	if said(first) != "r3 r2" || said(last) != "r1" || last.GetNextPageToken() != "" || first.GetStatus() == nil {
		t.Errorf("%v, then %v", first, last)
	}
	if m := last.GetMessages()[0]; string(m.GetContent()) != "Hello, world" || m.GetFromUserId() != "alice" || m.GetMessageId() == "" || m.GetTimestamp() == nil {
		t.Errorf("found %v", m)
	}
	for _, test := range []struct {
		ctx    context.Context
		req    *imv1.SearchRequest
		code   codes.Code
		reason string
	}{
		{by(t, "alice"), &imv1.SearchRequest{}, codes.InvalidArgument, "EMPTY_QUERY"},
		{by(t, "alice"), &imv1.SearchRequest{Query: "x", Limit: 101}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		{by(t, "alice"), &imv1.SearchRequest{Query: "x", PageToken: "x"}, codes.InvalidArgument, "INVALID_PAGE_TOKEN"},
		{by(t, "alice"), &imv1.SearchRequest{Query: "x", RoomIds: []string{"nowhere"}}, codes.NotFound, "ROOM_NOT_FOUND"},
		{by(t, "eve"), &imv1.SearchRequest{Query: "x", RoomIds: []string{"r"}}, codes.PermissionDenied, "NOT_A_MEMBER"},
		{by(t, "eve"), &imv1.SearchRequest{Query: "x", UserId: "alice"}, codes.PermissionDenied, "FOREIGN_USER"},
	} {
		_, err := s.Search(test.ctx, test.req)
		wantRefused(t, err, test.code, test.reason)
	}
	if resp := search(t, s, "eve", &imv1.SearchRequest{Query: "hello"}); len(resp.GetMessages()) != 0 {
		t.Errorf("eve found %v", resp)
	}
}

// TestSearchFollowsChanges: an edited message is found by what it says now, and a recalled one by nothing.
func TestSearchFollowsChanges(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	for _, text := range []string{"an apple", "a pear", "a plum"} {
		if _, err := s.SendMessage(by(t, "alice"), &imv1.SendMessageRequest{RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	find := func(query, want string) {
		t.Helper()
		if got := said(search(t, s, "alice", &imv1.SearchRequest{Query: query})); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	find("a", "r3 r2")
	if _, err := s.EditMessage(by(t, "alice"), &imv1.EditMessageRequest{RoomId: "r", Seq: 1, Content: []byte("a cherry")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RecallMessage(by(t, "alice"), &imv1.RecallMessageRequest{RoomId: "r", Seq: 2}); err != nil {
		t.Fatal(err)
	}
	find("a", "r3 r1")
	find("apple", "")
	find("cherry", "r1")
	find("pear", "")
	found := search(t, s, "alice", &imv1.SearchRequest{Query: "cherry"})
	if m := found.GetMessages(); len(m) != 1 || m[0].GetState().GetEdits() != 1 || string(m[0].GetContent()) != "a cherry" {
		t.Errorf("found %v", m)
	}
}
