package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
)

// runs counts what uses the node that all tests share: with -count each run has users and rooms of its own.
var runs atomic.Int64

// modes are the two ways to connect to the node.
func modes(t *testing.T) map[string]func(*Config) (*Client, error) {
	t.Helper()
	addr := StartNode(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	stub := dialStubs(t, addr, 1)[0]
	return map[string]func(*Config) (*Client, error){
		"own": func(cfg *Config) (*Client, error) {
			cfg.Services = []*discovery.ServiceInfo{{Address: host, Port: number}}
			return NewClient(cfg)
		},
		"lent": func(cfg *Config) (*Client, error) { return NewClientWithGRPCAndConfig(stub, cfg) },
	}
}

// come connects a user to the node.
func come(t *testing.T, mode func(*Config) (*Client, error), user string) *Client {
	t.Helper()
	c, err := mode(&Config{UserID: user})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Disconnect(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// say has the user join the room and say n things there.
func say(t *testing.T, c *Client, room string, n int) {
	t.Helper()
	if _, err := c.JoinRoom(room, nil); err != nil {
		t.Fatal(err)
	}
	batch := make([]*imv1.MessageRequest, n)
	for i := range batch {
		batch[i] = &imv1.MessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: fmt.Append(nil, i)}
	}
	if _, err := c.SendBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

func count(from, to int64) (seqs []int64) {
	for ; from <= to; from++ {
		seqs = append(seqs, from)
	}
	return seqs
}

func past(t *testing.T, c *Client, room string, o HistoryOptions) (seqs []int64) {
	t.Helper()
	for m, err := range c.Past(t.Context(), room, o) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, m.GetSeq())
	}
	return seqs
}

// TestPastOfARoom: against a node and in both modes, a room is read forward and backward from any place,
// as far as it is the user's to see.
func TestPastOfARoom(t *testing.T) {
	t.Parallel()
	for name, mode := range modes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprint(name, runs.Add(1))
			room := "past-" + name
			alice, bob := come(t, mode, "past-alice-"+name), come(t, mode, "past-bob-"+name)
			say(t, alice, room, 70)
			say(t, bob, room, 50)
			for _, tt := range []struct {
				who     *Client
				options HistoryOptions
				want    []int64
			}{
				{alice, HistoryOptions{Forward: true}, count(1, 120)},
				{alice, HistoryOptions{Forward: true, Limit: 1}, count(1, 120)},
				{alice, HistoryOptions{After: 41, Limit: 500}, count(42, 120)},
				{alice, HistoryOptions{After: 120}, nil},
				{bob, HistoryOptions{Forward: true, Limit: 7}, count(71, 120)},
			} {
				if got := past(t, tt.who, room, tt.options); !slices.Equal(got, tt.want) {
					t.Errorf("%+v: got %v", tt.options, got)
				}
			}
			for o, first := range map[HistoryOptions]int64{{}: 120, {Limit: 13}: 120, {Before: 42}: 41, {Before: 1}: 0} {
				want := count(1, first)
				slices.Reverse(want)
				if got := past(t, alice, room, o); !slices.Equal(got, want) {
					t.Errorf("%+v: got %v", o, got)
				}
			}
			page, err := bob.History(t.Context(), room, HistoryOptions{})
			if err != nil || len(page.GetMessages()) != 50 || page.GetMore() || page.GetFloorSeq() != 70 || page.GetHeadSeq() != 120 {
				t.Errorf("bob's newest page: %d messages, %v", len(page.GetMessages()), err)
			}
			for _, err := range bob.Past(t.Context(), room, HistoryOptions{After: 60}) {
				if gap, ok := errors.AsType[*GapError](err); !ok || gap.From != 61 || gap.To != 70 {
					t.Errorf("behind what is not his: %v", err)
				}
				break
			}
			_, err = come(t, mode, "past-eve-"+name).History(t.Context(), room, HistoryOptions{})
			if Reason(err) != "NOT_A_MEMBER" {
				t.Errorf("a stranger: %v", err)
			}
			if _, err = alice.History(t.Context(), room, HistoryOptions{After: 1, Before: 9}); Reason(err) != "INVALID_ARGUMENT" {
				t.Errorf("both ways: %v", err)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err = alice.History(ended, room, HistoryOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

// TestSyncOnANode: a program catches up with all rooms of a user, is stopped in the middle by its own
// failure, goes on, and gets each message once; what it then reads is not unread any more.
func TestSyncOnANode(t *testing.T) {
	t.Parallel()
	for name, mode := range modes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprint(name, runs.Add(1))
			alice, bob := come(t, mode, "sync-alice-"+name), come(t, mode, "sync-bob-"+name)
			rooms := make([]string, 5)
			want := map[string][]int64{}
			for i := range rooms {
				rooms[i] = fmt.Sprintf("sync-%s-%d", name, i)
				say(t, bob, rooms[i], 0)
				say(t, alice, rooms[i], 90)
				want[rooms[i]] = count(1, 90)
			}
			got, cursors := map[string][]int64{}, map[string]int64{}
			full := errors.New("full")
			for handed, err := 0, full; err != nil; handed = 0 { // whatever it is handed, it can take two pages at a time
				var snapshot []*imv1.RoomState
				snapshot, err = bob.Sync(t.Context(), cursors, func(p *imv1.RoomPage) error {
					if handed++; handed > 2 {
						return full
					}
					for _, m := range p.GetMessages() {
						got[p.GetRoomId()] = append(got[p.GetRoomId()], m.GetSeq())
					}
					return nil
				})
				if err != nil && !errors.Is(err, full) {
					t.Fatal(err)
				}
				if err == nil && (len(snapshot) != len(rooms) || snapshot[0].GetHeadSeq() != 90 || snapshot[0].GetUnread() != 90) {
					t.Errorf("snapshot %v", snapshot)
				}
			}
			if !maps.EqualFunc(got, want, slices.Equal) {
				t.Errorf("got %v", got)
			}

			state, err := bob.MarkRead(t.Context(), rooms[0], 60)
			if err != nil || state.GetReadSeq() != 60 || state.GetUnread() != 30 {
				t.Errorf("marked %v, %v", state, err)
			}
			if state, err = bob.MarkRead(t.Context(), rooms[0], 10); err != nil || state.GetReadSeq() != 60 {
				t.Errorf("a mark went back: %v, %v", state, err)
			}
			if state, err = bob.Unread(t.Context(), rooms[0]); err != nil || state.GetUnread() != 30 || state.GetHeadSeq() != 90 {
				t.Errorf("unread %v, %v", state, err)
			}
			if _, err = bob.MarkRead(t.Context(), rooms[0], 91); Reason(err) == "" {
				t.Errorf("above the head: %v", err)
			}

			if _, err := bob.LeaveRoom(rooms[4]); err != nil {
				t.Fatal(err)
			}
			say(t, alice, rooms[0], 1)
			var news []int64
			snapshot, err := bob.Sync(t.Context(), cursors, func(p *imv1.RoomPage) error {
				for _, m := range p.GetMessages() {
					news = append(news, m.GetSeq())
				}
				return nil
			})
			if err != nil || len(snapshot) != 4 || snapshot[0].GetUnread() != 31 || !slices.Equal(news, []int64{91}) {
				t.Errorf("snapshot %v, %v; news %v", snapshot, err, news)
			}
			if _, has := cursors[rooms[4]]; has || cursors[rooms[0]] != 91 || cursors[rooms[3]] != 90 {
				t.Errorf("cursors %v", cursors)
			}
		})
	}
}
