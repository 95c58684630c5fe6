package client

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// Metadata keys of the im.v1 stream; docs/protocol.md says what they mean.
const (
	keyUserID           = "user-id"
	keyRoomID           = "room-id"
	keyAuthorization    = "authorization"
	keyDeviceID         = "device-id"
	keyCapabilities     = "capabilities"
	keySessionID        = "session-id"
	keyResumeTicket     = "resume-ticket"
	keyLastLinkSeq      = "last-link-seq"
	keyResumed          = "resumed"
	keyHeartbeatSeconds = "heartbeat-seconds"
	keySendsPerSecond   = "sends-per-second"
	keySendBurst        = "send-burst"
	keyDisconnectCode   = "disconnect-code"
	keyDisconnectReason = "disconnect-reason"
	keyDisconnectRetry  = "disconnect-retry-ms"
	// The reason as it is, where the other is not all of it: text trailers have printable ASCII only.
	keyDisconnectText = "disconnect-reason-bin"

	// In the metadata of a frame.
	keyLinkSeq  = "link-seq"
	keyReason   = "reason"
	keyPresence = "presence" // of a heartbeat
	keyClientID = "client-message-id"
)

// What the client names as its capabilities; the last one if the program has handlers for it.
const (
	capabilities     = "ack,resume,batch"
	capabilityEvents = ",events"
)

// token returns the present token, empty when the client has none; an error is a *tokenError. A source that has not
// answered when ctx ends is left to itself: it may wait for what waits for the caller, as one does that disconnects.
func (c *Client) token(ctx context.Context) (string, error) {
	if c.cfg.TokenSource == nil {
		return c.cfg.Token, nil
	}
	var token string
	answered := make(chan error, 1)
	go func() {
		var err error
		token, err = c.cfg.TokenSource(ctx)
		answered <- err
	}()
	select {
	case err := <-answered:
		if err != nil {
			return "", &tokenError{err}
		}
		return token, nil
	case <-ctx.Done():
		return "", &tokenError{context.Cause(ctx)}
	}
}

// tokenError is why there was no token. It may look like the server's word, and is not.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "client: token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

func bearer(token string) string { return "Bearer " + token }

// identify returns ctx with what says who calls, for one unary call.
func (c *Client) identify(ctx context.Context) (context.Context, error) {
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	var pairs []string
	if headerSafe(c.cfg.UserID) {
		pairs = append(pairs, keyUserID, c.cfg.UserID)
	}
	if token != "" {
		pairs = append(pairs, keyAuthorization, bearer(token))
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...), nil
}

// streamMetadata returns what a stream is opened with. Ids that gRPC metadata cannot carry are
// left out; greet sends them instead.
func (c *Client) streamMetadata(token string, resume bool) []string {
	able := capabilities
	if c.wantsEvents() {
		able += capabilityEvents
	}
	pairs := []string{keyCapabilities, able}
	if c.idsInMetadata() {
		pairs = append(pairs, keyUserID, c.cfg.UserID)
		if c.cfg.DefaultRoomID != "" {
			pairs = append(pairs, keyRoomID, c.cfg.DefaultRoomID)
		}
	}
	if c.cfg.DeviceID != "" {
		pairs = append(pairs, keyDeviceID, c.cfg.DeviceID)
	}
	if token != "" {
		pairs = append(pairs, keyAuthorization, bearer(token))
	}
	if resume {
		pairs = append(pairs, c.session.resumeMetadata()...)
	}
	return pairs
}

func (c *Client) idsInMetadata() bool {
	return headerSafe(c.cfg.UserID) && headerSafe(c.cfg.DefaultRoomID)
}

// headerSafe tells whether gRPC metadata can carry s unchanged: printable ASCII, and no space at
// either end, which transports trim.
func headerSafe(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == "" || (s[0] != ' ' && s[len(s)-1] != ' ')
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}
