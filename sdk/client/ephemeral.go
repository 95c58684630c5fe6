package client

import (
	"context"
	"strconv"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
)

// The kinds of ephemerals that all clients know. Programs agree upon others.
const (
	EphemeralTyping = "typing"
	EphemeralRead   = "read" // the server's own
)

// keyReadSeq is where an EphemeralRead has its number.
const keyReadSeq = "seq"

// Ephemeral is what a member told those who are there, and nobody keeps.
type Ephemeral struct {
	RoomID, UserID string
	Kind           string
	Data           map[string]string
	Time           time.Time // when the server passed it on; zero if it did not say
}

// ReadSeq returns how far the member has read the room. False: it is of another kind.
func (e *Ephemeral) ReadSeq() (seq int64, ok bool) {
	if e.Kind != EphemeralRead {
		return 0, false
	}
	seq, err := strconv.ParseInt(e.Data[keyReadSeq], 10, 64)
	return seq, err == nil
}

// SendEphemeral tells the members of a room who are there, and whose clients want to know, something of the
// kind, with data of 4 KiB at most. It is not kept, has no place in the room, and to receivers who are slow only
// the last of a kind comes.
func (c *Client) SendEphemeral(ctx context.Context, roomID, kind string, data map[string]string) error {
	_, err := ask(ctx, c, roomID, imv1.IMServiceClient.SendEphemeral, &imv1.SendEphemeralRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Content: &imv1.EphemeralContent{Kind: kind, Data: data},
	})
	return err
}

// Typing tells a room that the user is writing. To be repeated every few seconds while he does; receivers let
// it lapse by themselves.
func (c *Client) Typing(ctx context.Context, roomID string) error {
	return c.SendEphemeral(ctx, roomID, EphemeralTyping, nil)
}

// wantsEvents tells whether the server is to send what older clients do not know.
func (c *Client) wantsEvents() bool { return c.cfg.OnEphemeral != nil || c.cfg.OnPresence != nil }

func (c *Client) toldEphemeral(msg *imv1.MessageResponse) {
	var content imv1.EphemeralContent
	if c.cfg.OnEphemeral == nil || !c.readable(msg, &content) {
		return
	}
	e := &Ephemeral{RoomID: msg.GetRoomId(), UserID: msg.GetFromUserId(), Kind: content.GetKind(), Data: content.GetData()}
	if msg.GetTimestamp() != nil {
		e.Time = msg.GetTimestamp().AsTime()
	}
	c.cfg.OnEphemeral(e)
}

// readable decodes the content of msg, and reports one that cannot be.
func (c *Client) readable(msg *imv1.MessageResponse, content proto.Message) bool {
	err := proto.Unmarshal(msg.GetContent(), content)
	if err != nil {
		c.stats.invalid.Add(1)
		c.reportError(&InvalidMessageError{Message: msg, Err: err})
	}
	return err == nil
}
