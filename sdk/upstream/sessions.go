package upstream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// SessionInfo is a session at a moment.
type SessionInfo struct {
	ID         string    `json:"session_id"`
	OpenID     string    `json:"openid"`
	GID        int64     `json:"gid"` // 0: none
	Device     string    `json:"device_id"`
	Protocol   string    `json:"protocol"`    // im.v1 or gateway.v1
	Transport  string    `json:"transport"`   // grpc, websocket or quic; empty while detached
	RemoteAddr string    `json:"remote_addr"` // empty while detached
	State      string    `json:"state"`       // inited, active or detached
	Created    time.Time `json:"created_at"`
	LastActive time.Time `json:"last_activity"`

	QueueFrames int    `json:"queue_frames"` // waiting to be written, or written and not acknowledged
	QueueBytes  int    `json:"queue_bytes"`
	Unsent      int    `json:"unsent_frames"` // of QueueFrames those that were not written
	LastSent    uint64 `json:"last_sent_seq"`
	LastAcked   uint64 `json:"last_acked_seq"`

	Node string `json:"node,omitempty"` // that it is on; empty: the node is no part of a cluster
}

// ErrIncomplete is the end of a list that lacks the sessions of so many nodes, which did not answer.
var ErrIncomplete = errors.New("the list is not complete; nodes that did not answer")

// SessionFilter selects sessions. What is not set selects all.
type SessionFilter struct {
	OpenID string
	GID    int64
	State  string // inited, active or detached
}

// Sessions returns the sessions of the node that the client is connected to, and of those that it forms a
// cluster with, in the order of their ids. They are fetched while they are ranged over; an error is the last
// value: ErrIncomplete when all were returned but those of nodes that did not answer.
func (c *UnicastClient) Sessions(ctx context.Context, f SessionFilter) iter.Seq2[SessionInfo, error] {
	return func(yield func(SessionInfo, error) bool) {
		silent := int32(0)
		req := &gatewayv1.ListSessionsRequest{Openid: f.OpenID, Gid: f.GID, State: f.State, PageSize: 1000}
		for {
			var page *gatewayv1.ListSessionsResponse
			err := c.bounded(ctx, callOptions{repeatable: true}, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
				page, err = gatewayv1.NewSessionServiceClient(conn).ListSessions(ctx, req)
				return err
			})
			if err != nil {
				yield(SessionInfo{}, callError(err))
				return
			}
			silent = max(silent, page.GetSilentNodes())
			for _, s := range page.GetSessions() {
				if !yield(sessionInfo(s), nil) {
					return
				}
			}
			if req.PageToken = page.GetNextPageToken(); req.GetPageToken() == "" {
				if silent > 0 {
					yield(SessionInfo{}, fmt.Errorf("%w: %d", ErrIncomplete, silent))
				}
				return
			}
		}
	}
}

// CloseSession closes a session and returns which one it was: another one, if that goes on for it. The
// client is told code and reason. 0 is 4001, disconnected by the service; a service has codes of its own:
// 3500 to 3999 invite the client to come back to its session, 4500 to 4999 tell it to stay away. A session
// that does not exist is ErrTargetNotFound.
func (c *UnicastClient) CloseSession(ctx context.Context, id string, code uint32, reason string) (closed string, err error) {
	err = c.bounded(ctx, callOptions{}, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := gatewayv1.NewSessionServiceClient(conn).CloseSession(ctx, &gatewayv1.CloseSessionRequest{SessionId: id, Code: code, Reason: reason})
		closed = resp.GetSessionId()
		return err
	})
	if err != nil {
		return "", callError(err)
	}
	return closed, nil
}

func sessionInfo(s *gatewayv1.SessionInfo) SessionInfo {
	return SessionInfo{
		ID: s.GetSessionId(), OpenID: s.GetOpenid(), GID: s.GetGid(), Device: s.GetDeviceId(),
		Protocol: s.GetProtocol(), Transport: s.GetTransport(), RemoteAddr: s.GetRemoteAddr(), State: s.GetState(),
		Created: s.GetCreatedAt().AsTime(), LastActive: s.GetLastActivity().AsTime(),
		QueueFrames: int(s.GetQueueFrames()), QueueBytes: int(s.GetQueueBytes()), Unsent: int(s.GetUnsentFrames()),
		LastSent: s.GetLastSentSeq(), LastAcked: s.GetLastAckedSeq(), Node: s.GetNode(),
	}
}
