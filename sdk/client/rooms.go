package client

import (
	"context"
	"fmt"
	"maps"
	"sync"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// rooms are those joined through the client, with the metadata they were joined with. The zero
// value is ready; safe for concurrent use.
type rooms struct {
	mu     sync.Mutex
	joined map[string]map[string]string
	busy   map[string]chan struct{} // that are being left, deleted or joined again; closed when that is done
}

func (r *rooms) add(roomID string, metadata map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.joined == nil {
		r.joined = map[string]map[string]string{}
	}
	r.joined[roomID] = maps.Clone(metadata)
}

func (r *rooms) remove(roomID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.joined, roomID)
}

func (r *rooms) has(roomID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, has := r.joined[roomID]
	return has
}

// alone waits until nobody else leaves the room, deletes it or joins it again, and keeps others waiting until release.
func (r *rooms) alone(ctx context.Context, roomID string) (release func(), err error) {
	mine := make(chan struct{})
	for {
		busy := r.take(roomID, mine)
		if busy == nil {
			return func() { r.give(roomID, mine) }, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take returns what is to be waited for; nil: the room is the caller's.
func (r *rooms) take(roomID string, mine chan struct{}) (busy chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.busy[roomID]; other != nil {
		return other
	}
	if r.busy == nil {
		r.busy = map[string]chan struct{}{}
	}
	r.busy[roomID] = mine
	return nil
}

func (r *rooms) give(roomID string, mine chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, roomID)
	close(mine)
}

func (r *rooms) all() map[string]map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]map[string]string, len(r.joined))
	maps.Copy(all, r.joined)
	return all
}

// JoinRoom makes the user a member of the room and has its messages arrive here, now and after
// every reconnect. Metadata may hold `nickname` and `role`. Joining again is no error and tells
// who is online now.
func (c *Client) JoinRoom(roomID string, metadata map[string]string) (*imv1.JoinRoomResponse, error) {
	return c.JoinRoomContext(context.Background(), roomID, metadata)
}

// JoinRoomContext is JoinRoom for at most as long as ctx lasts; see Client.Send for deadlines.
func (c *Client) JoinRoomContext(ctx context.Context, roomID string, metadata map[string]string) (*imv1.JoinRoomResponse, error) {
	for {
		session := c.session.current()
		resp, err := c.joinRoom(ctx, roomID, metadata)
		if err != nil {
			return resp, err
		}
		c.joined.add(roomID, metadata)
		if c.session.current() == session {
			return resp, nil
		}
		// A session that began meanwhile may have rejoined the rooms without this one.
	}
}

// LeaveRoom ends the membership. Leaving a room that one is not in is no error.
func (c *Client) LeaveRoom(roomID string) (*imv1.LeaveRoomResponse, error) {
	return c.LeaveRoomContext(context.Background(), roomID)
}

// LeaveRoomContext is LeaveRoom for at most as long as ctx lasts.
func (c *Client) LeaveRoomContext(ctx context.Context, roomID string) (*imv1.LeaveRoomResponse, error) {
	ctx, done := c.bound(ctx)
	defer done()
	release, err := c.joined.alone(ctx, roomID)
	if err != nil {
		return nil, fmt.Errorf("client: leave room %s: %w", roomID, err)
	}
	defer release()
	var resp *imv1.LeaveRoomResponse
	err = c.call(ctx, roomID, func(ctx context.Context, stub imv1.IMServiceClient) (status *imv1.ResponseStatus, err error) {
		resp, err = stub.LeaveRoom(ctx, &imv1.LeaveRoomRequest{UserId: c.cfg.UserID, RoomId: roomID})
		return resp.GetStatus(), err
	})
	if err == nil {
		c.joined.remove(roomID)
	}
	return resp, err
}

// GetRoomInfo describes the room and its members.
func (c *Client) GetRoomInfo(roomID string) (*imv1.GetRoomInfoResponse, error) {
	return c.GetRoomInfoContext(context.Background(), roomID)
}

// GetRoomInfoContext is GetRoomInfo for at most as long as ctx lasts.
func (c *Client) GetRoomInfoContext(ctx context.Context, roomID string) (*imv1.GetRoomInfoResponse, error) {
	var resp *imv1.GetRoomInfoResponse
	err := c.call(ctx, roomID, func(ctx context.Context, stub imv1.IMServiceClient) (status *imv1.ResponseStatus, err error) {
		resp, err = stub.GetRoomInfo(ctx, &imv1.GetRoomInfoRequest{UserId: c.cfg.UserID, RoomId: roomID})
		return resp.GetStatus(), err
	})
	return resp, err
}

func (c *Client) joinRoom(ctx context.Context, roomID string, metadata map[string]string) (*imv1.JoinRoomResponse, error) {
	var resp *imv1.JoinRoomResponse
	err := c.call(ctx, roomID, func(ctx context.Context, stub imv1.IMServiceClient) (status *imv1.ResponseStatus, err error) {
		resp, err = stub.JoinRoom(ctx, &imv1.JoinRoomRequest{UserId: c.cfg.UserID, RoomId: roomID, Metadata: metadata})
		return resp.GetStatus(), err
	})
	return resp, err
}

// rejoin has the rooms that were joined through the client followed by a session that may not know of
// them. It goes through the queue so that OnConnect finds them joined. If the connection is lost
// meanwhile, the next one begins anew, also when it resumes the session.
func (c *Client) rejoin(cn *connection) {
	c.queue.push(task{run: func() {
		for roomID, metadata := range c.roomsToFollow() {
			err := c.joinAgain(cn.ctx, roomID, metadata)
			if cn.ctx.Err() != nil {
				return
			}
			if err != nil {
				c.reportError(fmt.Errorf("client: rejoin room %s: %w", roomID, err))
			}
		}
		c.session.noteFollowed(cn.session)
	}})
}

// joinAgain joins a room, unless the program has left it meanwhile.
func (c *Client) joinAgain(ctx context.Context, roomID string, metadata map[string]string) error {
	release, err := c.joined.alone(ctx, roomID)
	if err != nil {
		return err
	}
	defer release()
	if roomID != c.cfg.DefaultRoomID && !c.joined.has(roomID) {
		return nil
	}
	_, err = c.joinRoom(ctx, roomID, metadata)
	return err
}

func (c *Client) roomsToFollow() map[string]map[string]string {
	rooms := c.joined.all()
	if room := c.cfg.DefaultRoomID; !headerSafe(room) && rooms[room] == nil {
		rooms[room] = nil // where a token says who the user is, the first message is not asked for the room
	}
	return rooms
}
