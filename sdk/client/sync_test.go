package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type (
	syncHandler func(*imv1.SyncRequest) (*imv1.SyncResponse, error)
	readHandler func(*imv1.MarkReadRequest) (*imv1.MarkReadResponse, error)
)

func (p *peer) onSync(f syncHandler) { p.sync.Store(&f) }
func (p *peer) onRead(f readHandler) { p.read.Store(&f) }

func (p *peer) Sync(ctx context.Context, req *imv1.SyncRequest) (*imv1.SyncResponse, error) {
	if f := p.sync.Load(); f != nil {
		return (*f)(req)
	}
	return p.UnimplementedIMServiceServer.Sync(ctx, req)
}

func (p *peer) MarkRead(ctx context.Context, req *imv1.MarkReadRequest) (*imv1.MarkReadResponse, error) {
	if f := p.read.Load(); f != nil {
		return (*f)(req)
	}
	return p.UnimplementedIMServiceServer.MarkRead(ctx, req)
}

func roomPage(room string, floor int64, reset bool, seqs ...int64) *imv1.RoomPage {
	p := &imv1.RoomPage{RoomId: room, FloorSeq: floor, Reset_: reset}
	for _, seq := range seqs {
		p.Messages = append(p.Messages, text(room, seq, 0))
	}
	return p
}

func pageOf(token string, rooms ...*imv1.RoomPage) *imv1.SyncResponse {
	return &imv1.SyncResponse{Rooms: rooms, NextPageToken: token}
}

// mailbox is what a program does with what Sync hands it.
type mailbox struct {
	got    []string
	refuse string // the entry that it cannot take
}

func (m *mailbox) take(room *imv1.RoomPage) error {
	entry := room.GetRoomId()
	if room.GetReset_() {
		entry += "!"
	}
	for _, msg := range room.GetMessages() {
		entry += fmt.Sprint(" ", msg.GetSeq())
	}
	if entry == m.refuse {
		return errors.New("the disk is full")
	}
	m.got = append(m.got, entry)
	return nil
}

// TestSyncResumes: whatever fails in the middle, the next Sync with the same map goes on behind what was
// handled, and nothing is handed over twice.
func TestSyncResumes(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	cursors := map[string]int64{"a": 2, "b": 7, "left": 9}
	var box mailbox
	var asks []string
	script := func(answers ...any) {
		asks = nil
		p.onSync(func(req *imv1.SyncRequest) (*imv1.SyncResponse, error) {
			asks = append(asks, fmt.Sprint(req.GetUserId(), " ", req.GetPageToken(), " ", req.GetCursors()))
			if err, failed := answers[len(asks)-1].(error); failed {
				return nil, err
			}
			return answers[len(asks)-1].(*imv1.SyncResponse), nil
		})
	}

	script(pageOf("t1", roomPage("a", 0, false, 3, 4)), status.Error(codes.Unavailable, "restarting"))
	_, err := c.Sync(t.Context(), cursors, box.take)
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if want := []string{"alice  map[a:2 b:7 left:9]", "alice t1 map[a:2 b:7 left:9]"}; !slices.Equal(asks, want) {
		t.Errorf("asked %q, want %q: the cursors of a walk do not change", asks, want)
	}

	box.refuse = "b 8"
	script(pageOf("t2", roomPage("a", 0, false, 5), roomPage("b", 0, false, 8)))
	if _, err = c.Sync(t.Context(), cursors, box.take); err == nil || err.Error() != "the disk is full" {
		t.Errorf("got %v", err)
	}
	if want := []string{"alice  map[a:4 b:7 left:9]"}; !slices.Equal(asks, want) {
		t.Errorf("asked %q, want %q", asks, want)
	}

	box.refuse = ""
	first, last := pageOf("t3", roomPage("b", 0, false, 8)), pageOf("") // a snapshot of many rooms is paged as well
	first.Snapshot = []*imv1.RoomState{{RoomId: "a", HeadSeq: 5}}
	last.Snapshot = []*imv1.RoomState{{RoomId: "b", HeadSeq: 8, ReadSeq: 6, Unread: 2}}
	script(first, last)
	snapshot, err := c.Sync(t.Context(), cursors, box.take)
	if err != nil || len(snapshot) != 2 || snapshot[1].GetUnread() != 2 {
		t.Errorf("got %v, %v", snapshot, err)
	}
	if want := []string{"a 3 4", "a 5", "b 8"}; !slices.Equal(box.got, want) {
		t.Errorf("handed over %q, want %q", box.got, want)
	}
	if want := map[string]int64{"a": 5, "b": 8}; !maps.Equal(cursors, want) {
		t.Errorf("cursors %v, want %v", cursors, want)
	}
}

// TestSyncResets: where what the program has does not connect, its cursor begins anew, also downwards.
func TestSyncResets(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	cfg.Validate = func(m *imv1.MessageResponse) error {
		if m.GetSeq() == 12 {
			return errors.New("twelve")
		}
		return nil
	}
	c, _ := p.connect(t, cfg)
	rooms := []*imv1.RoomPage{
		roomPage("old", 10, true, 11, 12), roomPage("emptied", 40, true), roomPage("restored", 0, true, 1, 2), roomPage("quiet", 3, false),
	}
	last := pageOf("", rooms...)
	for _, room := range rooms {
		last.Snapshot = append(last.Snapshot, &imv1.RoomState{RoomId: room.GetRoomId()})
	}
	p.onSync(func(*imv1.SyncRequest) (*imv1.SyncResponse, error) { return last, nil })
	cursors := map[string]int64{"old": 3, "emptied": 30, "restored": 99, "quiet": 4}
	var box mailbox
	if _, err := c.Sync(t.Context(), cursors, box.take); err != nil {
		t.Fatal(err)
	}
	if want := []string{"old! 11", "emptied!", "restored! 1 2", "quiet"}; !slices.Equal(box.got, want) {
		t.Errorf("handed over %q, want %q", box.got, want)
	}
	if want := map[string]int64{"old": 12, "emptied": 40, "restored": 2, "quiet": 4}; !maps.Equal(cursors, want) {
		t.Errorf("cursors %v, want %v", cursors, want)
	}
	page, err := c.SyncPage(t.Context(), SyncOptions{})
	if err != nil || len(page.GetRooms()[0].GetMessages()) != 1 {
		t.Errorf("a page of %v, %v", page, err)
	}
}

func TestMarkReadAsks(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	var asks []string
	p.onRead(func(req *imv1.MarkReadRequest) (*imv1.MarkReadResponse, error) {
		asks = append(asks, fmt.Sprint(req.GetUserId(), " ", req.GetRoomId(), " ", req.GetSeq()))
		return &imv1.MarkReadResponse{Status: &imv1.ResponseStatus{}, State: &imv1.RoomState{ReadSeq: 5, Unread: 3}}, nil
	})
	if state, err := c.MarkRead(t.Context(), "a", 5); err != nil || state.GetReadSeq() != 5 {
		t.Errorf("got %v, %v", state, err)
	}
	if state, err := c.Unread(t.Context(), "a"); err != nil || state.GetUnread() != 3 {
		t.Errorf("got %v, %v", state, err)
	}
	if want := []string{"alice a 5", "alice a 0"}; !slices.Equal(asks, want) {
		t.Errorf("asked %q", asks)
	}
}
