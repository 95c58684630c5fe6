package upstream

import (
	"context"
	"fmt"
	"maps"
	"slices"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// The methods below are those that services have used before. An error says what those of Push and its
// sisters say.

// PushToClient pushes to one target; targetType is openid, gid or session.
func (c *UnicastClient) PushToClient(ctx context.Context, targetType, targetID, msgType, title, content string, data []byte) error {
	_, err := c.Push(ctx, Target{targetType, targetID}, Notification{MsgType: msgType, Title: title, Content: content, Data: data})
	return err
}

// PushToGID pushes to every session of a gid.
func (c *UnicastClient) PushToGID(ctx context.Context, gid int64, msgType, title, content string, data []byte) error {
	_, err := c.Push(ctx, GID(gid), Notification{MsgType: msgType, Title: title, Content: content, Data: data})
	return err
}

// PushToOpenID pushes to every session of a user.
func (c *UnicastClient) PushToOpenID(ctx context.Context, openID, msgType, title, content string, data []byte) error {
	_, err := c.Push(ctx, OpenID(openID), Notification{MsgType: msgType, Title: title, Content: content, Data: data})
	return err
}

// PushToSession pushes to one session.
func (c *UnicastClient) PushToSession(ctx context.Context, sessionID, msgType, title, content string, data []byte) error {
	_, err := c.Push(ctx, Session(sessionID), Notification{MsgType: msgType, Title: title, Content: content, Data: data})
	return err
}

// PushToOpenIDWithSyncHint pushes to a user, before or after the response to his client's request
// bindClientSeqId, which is required with any hint but NSH_IMMEDIATELY.
func (c *UnicastClient) PushToOpenIDWithSyncHint(ctx context.Context, openID, msgType, title, content string, data []byte, hint gatewayv1.NotifySyncHint, bindClientSeqId uint64) error { //nolint:revive // the published name
	_, err := c.Push(ctx, OpenID(openID), Notification{MsgType: msgType, Title: title, Content: content, Data: data}, BoundTo(hint, bindClientSeqId))
	return err
}

// BatchPushToClients pushes to many targets, each a map with the keys "type" and "id". That some of
// them failed is no error: it is in the response, which has a result for each, in order.
func (c *UnicastClient) BatchPushToClients(ctx context.Context, targets []map[string]string, msgType, title, content string, data []byte) (*gatewayv1.BatchUnicastPushResponse, error) {
	to := make([]Target, len(targets))
	for i, m := range targets {
		t, err := readTarget(m)
		if err != nil {
			return nil, fmt.Errorf("upstream: targets[%d]: %w", i, err)
		}
		to[i] = t
	}
	return c.batch(ctx, to, Notification{MsgType: msgType, Title: title, Content: content, Data: data}, nil)
}

// BroadcastToClients pushes to every connected session.
func (c *UnicastClient) BroadcastToClients(ctx context.Context, msgType, title, content string, data []byte, metadata map[string]string) error {
	_, err := c.Broadcast(ctx, Notification{MsgType: msgType, Title: title, Content: content, Data: data, Metadata: metadata})
	return err
}

// readTarget reads a target that is written as a map.
func readTarget(m map[string]string) (Target, error) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if key != "type" && key != "id" {
			return Target{}, fmt.Errorf("the key %q is unknown; \"type\" and \"id\" are allowed", key)
		}
	}
	for _, key := range []string{"type", "id"} {
		if m[key] == "" {
			return Target{}, fmt.Errorf("%q is missing or empty; \"type\" (openid, gid or session) and \"id\" are required", key)
		}
	}
	return Target{m["type"], m["id"]}, nil
}
