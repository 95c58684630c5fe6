package client

import (
	"context"
	"fmt"
	"slices"
	"sync"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
)

// Presence tells of users who is online and, of those who are not, since when, as far as the user shares a
// room with them; 1,000 users at most. What is not his to know is PRESENCE_STATE_UNSPECIFIED.
func (c *Client) Presence(ctx context.Context, userIDs ...string) ([]*imv1.UserPresence, error) {
	resp, err := ask(ctx, c, "", imv1.IMServiceClient.GetPresence, &imv1.GetPresenceRequest{UserId: c.cfg.UserID, UserIds: userIDs})
	return resp.GetUsers(), err
}

// wish is whom the program wants to hear of. The zero value is ready; safe for concurrent use.
type wish struct {
	mu   sync.Mutex
	said *imv1.PresenceContent // nil: nobody
}

func (w *wish) set(said *imv1.PresenceContent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = said
}

func (w *wish) get() *imv1.PresenceContent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said
}

// WatchPresence has Config.OnPresence hear of these users and of the members of these rooms, in place of whom
// was named before: first how they are now, then every change; so on every connection that follows. 1,000 users
// and 100 rooms at most; of a room with many members only how many are online. A refusal comes to OnError.
//
// Without a connection it takes effect with the next one, and the error is ErrNotConnected.
func (c *Client) WatchPresence(ctx context.Context, userIDs, roomIDs []string) error {
	c.wish.set(&imv1.PresenceContent{UserIds: slices.Clone(userIDs), RoomIds: slices.Clone(roomIDs)})
	cn := c.current()
	if cn == nil {
		return ErrNotConnected
	}
	ctx, done := c.bound(ctx)
	defer done()
	return c.askPresence(ctx, cn)
}

// keepWatching tells a new connection whom the program wants to hear of, if anybody: what happened without one is
// not told later. An error ends the connection, and the next one is told.
func (c *Client) keepWatching(cn *connection) {
	if c.wish.get() != nil {
		cn.spawn(func() { _ = c.askPresence(cn.ctx, cn) })
	}
}

// askPresence tells a connection whom the program wants to hear of.
func (c *Client) askPresence(ctx context.Context, cn *connection) error {
	said := c.wish.get()
	if said == nil {
		return nil
	}
	content, err := proto.Marshal(said)
	if err != nil {
		return fmt.Errorf("client: presence cannot be encoded: %w", err)
	}
	if err := cn.write(ctx, &imv1.MessageRequest{
		UserId: c.cfg.UserID, Type: imv1.MessageType_MESSAGE_TYPE_PRESENCE, Content: content,
	}); err != nil {
		return fmt.Errorf("client: watch presence: %w", err)
	}
	return nil
}

func (c *Client) toldPresence(msg *imv1.MessageResponse) {
	var content imv1.PresenceContent
	if c.cfg.OnPresence == nil || !c.readable(msg, &content) {
		return
	}
	c.cfg.OnPresence(&content)
}
