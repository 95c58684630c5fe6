package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type historyHandler func(*imv1.HistoryRequest) (*imv1.HistoryResponse, error)

func (p *peer) onHistory(f historyHandler) { p.history.Store(&f) }

func (p *peer) History(ctx context.Context, req *imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
	if f := p.history.Load(); f != nil {
		return (*f)(req)
	}
	return p.UnimplementedIMServiceServer.History(ctx, req)
}

// page is an answer with these messages of room a.
func page(floor, head int64, more bool, seqs ...int64) *imv1.HistoryResponse {
	resp := &imv1.HistoryResponse{Status: &imv1.ResponseStatus{}, FloorSeq: floor, HeadSeq: head, More: more}
	for _, seq := range seqs {
		resp.Messages = append(resp.Messages, text("a", seq, 0))
	}
	return resp
}

// asked shows a request.
func asked(req *imv1.HistoryRequest) string {
	s := req.GetUserId() + " " + req.GetRoomId()
	if req.AfterSeq != nil {
		s += fmt.Sprint(" after ", req.GetAfterSeq())
	}
	if req.BeforeSeq != nil {
		s += fmt.Sprint(" before ", req.GetBeforeSeq())
	}
	return s + fmt.Sprint(" limit ", req.GetLimit())
}

func TestHistoryAsks(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	for _, tt := range []struct {
		options HistoryOptions
		want    string
	}{
		{HistoryOptions{}, "alice a limit 0"},
		{HistoryOptions{Forward: true, Limit: 7}, "alice a after 0 limit 7"},
		{HistoryOptions{After: 5}, "alice a after 5 limit 0"},
		{HistoryOptions{Before: 5, Limit: 1 << 40}, "alice a before 5 limit 1073741824"},
		{HistoryOptions{After: 1, Before: 5, Limit: -3}, "alice a after 1 before 5 limit -1"}, // for the server to refuse
	} {
		var got string
		p.onHistory(func(req *imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
			got = asked(req)
			return page(2, 9, true, 3, 4), nil
		})
		resp, err := c.History(t.Context(), "a", tt.options)
		if err != nil || got != tt.want || len(resp.GetMessages()) != 2 || resp.GetFloorSeq() != 2 || resp.GetHeadSeq() != 9 || !resp.GetMore() {
			t.Errorf("%+v: asked %q, want %q; got %v, %v", tt.options, got, tt.want, resp, err)
		}
	}
}

// TestCallsThatAServerIsTooOldFor: it answers that it does not know them, and the error says what that means.
func TestCallsThatAServerIsTooOldFor(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	calls := map[string]func() error{
		"History": func() error { _, err := c.History(t.Context(), "a", HistoryOptions{}); return err },
		"Past": func() (err error) {
			for _, err = range c.Past(t.Context(), "a", HistoryOptions{}) {
			}
			return err
		},
		"Sync":     func() error { _, err := c.Sync(t.Context(), nil, nil); return err },
		"SyncPage": func() error { _, err := c.SyncPage(t.Context(), SyncOptions{}); return err },
		"MarkRead": func() error { _, err := c.MarkRead(t.Context(), "a", 1); return err },
		"Unread":   func() error { _, err := c.Unread(t.Context(), "a"); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrUnsupported) || status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.disconnect(t, c)
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrNotConnected) {
			t.Errorf("%s without a connection: %v", name, err)
		}
	}
}

func TestHistoryIsRefused(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	p.onHistory(func(*imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
		return &imv1.HistoryResponse{Status: &imv1.ResponseStatus{Code: 7, Message: "no", Details: map[string]string{"reason": "NOT_A_MEMBER"}}}, nil
	})
	_, err := c.History(t.Context(), "a", HistoryOptions{})
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || refused.Reason != "NOT_A_MEMBER" || refused.RoomID != "a" {
		t.Errorf("got %v", err)
	}
}

// walk ranges over the past, and returns the seqs and errors that it met. It stops at the first error that
// is not a gap.
func walk(ctx context.Context, c *Client, o HistoryOptions) (seen []string) {
	for m, err := range c.Past(ctx, "a", o) {
		gap, isGap := errors.AsType[*GapError](err)
		switch {
		case isGap:
			seen = append(seen, fmt.Sprintf("gap %d-%d", gap.From, gap.To))
		case err != nil:
			return append(seen, "error "+status.Code(err).String())
		default:
			seen = append(seen, fmt.Sprint(m.GetSeq()))
		}
	}
	return seen
}

func TestPast(t *testing.T) {
	t.Parallel()
	away := status.Error(codes.Unavailable, "restarting")
	tests := []struct {
		name    string
		options HistoryOptions
		answers []any    // one after another
		asks    []string // what for
		want    []string
	}{
		{"from the beginning", HistoryOptions{Forward: true, Limit: 2},
			[]any{page(0, 5, true, 1, 2), page(0, 5, true, 3, 4), page(0, 5, false, 5)},
			[]string{"alice a after 0 limit 2", "alice a after 2 limit 2", "alice a after 4 limit 2"},
			[]string{"1", "2", "3", "4", "5"}},
		{"from the beginning that is left", HistoryOptions{Forward: true},
			[]any{page(3, 5, false, 4, 5)}, []string{"alice a after 0 limit 0"}, []string{"4", "5"}},
		{"backward", HistoryOptions{Limit: 2},
			[]any{page(0, 5, true, 4, 5), page(0, 5, true, 2, 3), page(0, 5, false, 1)},
			[]string{"alice a limit 2", "alice a before 4 limit 2", "alice a before 2 limit 2"},
			[]string{"5", "4", "3", "2", "1"}},
		{"backward from a place", HistoryOptions{Before: 3},
			[]any{page(1, 5, false, 2)}, []string{"alice a before 3 limit 0"}, []string{"2"}},
		{"nothing", HistoryOptions{}, []any{page(0, 0, false)}, []string{"alice a limit 0"}, nil},
		{"nothing, and a server that says there is more", HistoryOptions{After: 3},
			[]any{page(0, 3, true)}, []string{"alice a after 3 limit 0"}, nil},
		{"what it goes on from is gone", HistoryOptions{After: 3},
			[]any{page(7, 9, false, 8, 9)}, []string{"alice a after 3 limit 0"}, []string{"gap 4-7", "8", "9"}},
		{"all behind it is gone", HistoryOptions{After: 3},
			[]any{page(9, 9, false)}, []string{"alice a after 3 limit 0"}, []string{"gap 4-9"}},
		{"retention is faster", HistoryOptions{Forward: true},
			[]any{page(0, 9, true, 1, 2), page(5, 9, false, 6, 7)},
			[]string{"alice a after 0 limit 0", "alice a after 2 limit 0"}, []string{"1", "2", "gap 3-5", "6", "7"}},
		{"an error ends it", HistoryOptions{Forward: true},
			[]any{page(0, 9, true, 1, 2), away, page(0, 9, false, 3)},
			[]string{"alice a after 0 limit 0", "alice a after 2 limit 0"}, []string{"1", "2", "error Unavailable"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			cfg, _ := p.config()
			c, _ := p.connect(t, cfg)
			for round := range 2 { // ranging again begins again
				var asks []string
				p.onHistory(func(req *imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
					asks = append(asks, asked(req))
					if err, failed := tt.answers[len(asks)-1].(error); failed {
						return nil, err
					}
					return tt.answers[len(asks)-1].(*imv1.HistoryResponse), nil
				})
				got := walk(t.Context(), c, tt.options)
				if !slices.Equal(got, tt.want) || !slices.Equal(asks, tt.asks) {
					t.Errorf("round %d: got %q, asked %q", round, got, asks)
				}
			}
		})
	}
}

// TestPastStops: with the loop, and with its context in the middle of a page.
func TestPastStops(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	asks := 0
	p.onHistory(func(*imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
		asks++
		return page(0, 9, true, 1, 2, 3), nil
	})
	for m, err := range c.Past(t.Context(), "a", HistoryOptions{Forward: true}) {
		if err != nil || m.GetSeq() == 3 {
			break
		}
	}
	if asks != 1 {
		t.Errorf("%d pages were fetched, and one was wanted", asks)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []int64
	var last error
	for m, err := range c.Past(ctx, "a", HistoryOptions{Forward: true}) {
		if last = err; err == nil {
			seen = append(seen, m.GetSeq())
			cancel()
		}
	}
	if !slices.Equal(seen, []int64{1}) || !errors.Is(last, context.Canceled) {
		t.Errorf("saw %v, then %v", seen, last)
	}
}

// TestHistoryIsValidated: what Config.Validate refuses is left out everywhere, counted and reported, and
// nobody waits for it at the next page.
func TestHistoryIsValidated(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.Validate = func(m *imv1.MessageResponse) error {
		if m.GetSeq()%2 == 0 {
			return errors.New("even")
		}
		return nil
	}
	c, _ := p.connect(t, cfg)
	answers := []*imv1.HistoryResponse{page(0, 4, true, 1, 2), page(0, 4, false, 3, 4), page(0, 4, false, 1, 2, 3, 4)}
	var asks []string
	p.onHistory(func(req *imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
		asks = append(asks, asked(req))
		return answers[len(asks)-1], nil
	})
	if got := walk(t.Context(), c, HistoryOptions{Forward: true}); !slices.Equal(got, []string{"1", "3"}) || asks[1] != "alice a after 2 limit 0" {
		t.Errorf("got %q, asked %q", got, asks)
	}
	resp, err := c.History(t.Context(), "a", HistoryOptions{})
	if err != nil || len(resp.GetMessages()) != 2 || resp.GetMessages()[1].GetSeq() != 3 {
		t.Errorf("got %v, %v", resp, err)
	}
	if n := c.Stats().Invalid; n != 4 {
		t.Errorf("%d invalid, want 4", n)
	}
	for range 4 {
		if invalid, ok := errors.AsType[*InvalidMessageError](wait(t, ev.errors, "OnError")); !ok || invalid.Message.GetSeq()%2 != 0 {
			t.Errorf("reported %v", invalid)
		}
	}
}
