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

// maxWishBytes is more than whom a server tells of can take: 1,100 ids of 255 bytes. Something much larger
// would not be refused but end the stream, and every stream after it.
const maxWishBytes = 512 << 10

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
// and 100 rooms at most; of a room with many members only how many are online. A refusal comes to OnError. What
// cannot be sent at all is an error, and who was named before stays.
//
// Without a connection it takes effect with the next one, and the error is ErrNotConnected.
func (c *Client) WatchPresence(ctx context.Context, userIDs, roomIDs []string) error {
	said := &imv1.PresenceContent{UserIds: slices.Clone(userIDs), RoomIds: slices.Clone(roomIDs)}
	content, err := proto.Marshal(said)
	if err != nil {
		return fmt.Errorf("client: presence cannot be encoded: %w", err)
	}
	if len(content) > maxWishBytes {
		return fmt.Errorf("%w: %d bytes of user and room ids, at most %d are possible", ErrTooLarge, len(content), maxWishBytes)
	}
	c.wish.set(said)
	cn := c.current()
	if cn == nil {
		return ErrNotConnected
	}
	ctx, done := c.bound(ctx)
	defer done()
	return c.askPresence(ctx, cn)
}

// keepPresence tells a new connection whom the program wants to hear of, if anybody, since what happened without
// one is not told later, and that the user is away. An error ends the connection, and the next one is told.
func (c *Client) keepPresence(cn *connection) {
	if c.wish.get() != nil {
		cn.spawn(func() { _ = c.askPresence(cn.ctx, cn) })
	}
	if c.away.Load() {
		cn.spawn(func() { _ = c.sayAway(cn.ctx, cn, true) })
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

// What a heartbeat says of the user, in metadata keyPresence.
const (
	presenceAway   = "away"
	presenceOnline = "online"
)

// SetAway says whether the user is not looking, now and on every connection that follows until it is called
// again. Who has told so of all his sessions is away for others, instead of online. Servers that do not know of it
// take no notice. Without a connection it takes effect with the next one, and the error is ErrNotConnected.
func (c *Client) SetAway(ctx context.Context, away bool) error {
	c.away.Store(away)
	cn := c.current()
	if cn == nil {
		return ErrNotConnected
	}
	ctx, done := c.bound(ctx)
	defer done()
	return c.sayAway(ctx, cn, away)
}

// sayAway tells it at once, and not with the next heartbeat.
func (c *Client) sayAway(ctx context.Context, cn *connection, away bool) error {
	beat := c.heartbeat()
	beat.Metadata = map[string]string{keyPresence: presenceOnline}
	if away {
		beat.Metadata[keyPresence] = presenceAway
	}
	if err := cn.write(ctx, beat); err != nil {
		return fmt.Errorf("client: say away: %w", err)
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
