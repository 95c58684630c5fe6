package client

import (
	"context"
	"fmt"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// NewRoom says what a room is to be. The zero value is one that the server names and configures.
type NewRoom struct {
	// ID is the room's id. Empty: the server chooses one.
	ID string
	// Name and Description are what people read.
	Name, Description string
	// Config is what the room accepts. nil: as the node has configured it for new rooms.
	Config *imv1.RoomConfig
	// Nickname is what the creator is called in it.
	Nickname string
}

// CreateRoom makes a room whose first member and admin is the user, and has its messages arrive here as
// JoinRoom does. A room that is there already is refused. ErrUnsupported: the server is too old, as for all
// calls about rooms and members but JoinRoom, LeaveRoom and GetRoomInfo.
func (c *Client) CreateRoom(ctx context.Context, r NewRoom) (*imv1.RoomInfo, error) {
	session := c.session.current()
	resp, err := askRooms(ctx, c, r.ID, imv1.RoomServiceClient.CreateRoom, &imv1.CreateRoomRequest{
		UserId: c.cfg.UserID, RoomId: r.ID, Name: r.Name, Description: r.Description, Config: r.Config, Nickname: r.Nickname,
	})
	if err != nil {
		return nil, err
	}
	room := resp.GetRoomInfo()
	var metadata map[string]string
	if r.Nickname != "" {
		metadata = map[string]string{"nickname": r.Nickname}
	}
	c.joined.add(room.GetRoomId(), metadata)
	if c.session.current() != session { // one that began meanwhile may have rejoined the rooms without this one
		if err := c.joinAgain(ctx, room.GetRoomId(), metadata); err != nil {
			c.reportError(fmt.Errorf("client: rejoin room %s: %w", room.GetRoomId(), err))
		}
	}
	return room, nil
}

// RoomUpdate says what is to change of a room. What is nil stays as it is.
type RoomUpdate struct {
	Name, Description *string
	// Config replaces all that the room accepts; whether it is persistent cannot be changed. To change one
	// field, take what GetRoomInfo says and set it there.
	Config *imv1.RoomConfig
}

// UpdateRoom changes what a room is called and what it accepts, and returns it as it is then. Its members are
// told.
func (c *Client) UpdateRoom(ctx context.Context, roomID string, u RoomUpdate) (*imv1.RoomInfo, error) {
	resp, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.UpdateRoom, &imv1.UpdateRoomRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Name: u.Name, Description: u.Description, Config: u.Config,
	})
	return resp.GetRoomInfo(), err
}

// DeleteRoom ends a room for everybody. What was said in it is gone.
func (c *Client) DeleteRoom(ctx context.Context, roomID string) error {
	ctx, done := c.bound(ctx)
	defer done()
	release, err := c.joined.alone(ctx, roomID) // to join it again would make it anew
	if err != nil {
		return fmt.Errorf("client: delete room %s: %w", roomID, err)
	}
	defer release()
	_, err = askRooms(ctx, c, roomID, imv1.RoomServiceClient.DeleteRoom, &imv1.DeleteRoomRequest{UserId: c.cfg.UserID, RoomId: roomID})
	if err == nil {
		c.joined.remove(roomID)
	}
	return err
}
