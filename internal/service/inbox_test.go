package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// inbox takes everything, except for the users full and broken.
type inbox struct{ kept []biz.UserID }

func (b *inbox) Store(_ context.Context, user biz.UserID, p *biz.Push, _ time.Time, _ biz.InboxLimits) error {
	switch user {
	case "full":
		return biz.Errorf(biz.KindResourceLimit, "INBOX_FULL", "the inbox is full")
	case "broken":
		return errors.New("disk: secret")
	}
	b.kept = append(b.kept, user)
	p.InboxSeq = int64(len(b.kept))
	return nil
}

func (b *inbox) Page(context.Context, biz.UserID, int64, int) ([]*biz.Push, error) { return nil, nil }
func (b *inbox) Ack(biz.UserID, int64)                                             {}
func (b *inbox) Missed(biz.UserID, int64)                                          {}

func (b *inbox) State(_ context.Context, user biz.UserID) (biz.InboxState, error) {
	if user == "broken" {
		return biz.InboxState{}, errors.New("disk: secret")
	}
	n := len(b.kept)
	return biz.InboxState{Pushes: n, Bytes: int64(10 * n), Oldest: time.Unix(1, 0), Last: int64(n)}, nil
}

func TestGetInbox(t *testing.T) {
	t.Parallel()
	g := newGateway()
	got := func(openid string) (*gatewayv1.InboxInfo, error) {
		return g.GetInbox(t.Context(), &gatewayv1.GetInboxRequest{Openid: openid})
	}
	g.inbox.kept = []biz.UserID{"alice", "alice"}
	if info, err := got("alice"); err != nil || info.GetOpenid() != "alice" || info.GetPushes() != 2 || info.GetBytes() != 20 || info.GetOldestAt().AsTime() != time.Unix(1, 0).UTC() {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := got(""); status.Code(err) != codes.InvalidArgument {
		t.Errorf("nobody's: %v", err)
	}
	if _, err := got("broken"); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("a broken store: %v", err)
	}
}
