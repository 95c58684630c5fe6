package service

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/game-im/hermod/internal/biz"
)

// Request metadata that qualifies a push; see GatewayService in gateway.proto.
const (
	keyOffline     = "offline"
	keyWait        = "wait"
	keyWaitTimeout = "wait-timeout"
	keyIdempotency = "idempotency-key"
	keyTTL         = "ttl"

	offlineStore     = "store"
	waitAcknowledged = "acknowledged"

	// defaultAckWait is for callers who do not say how long they wait.
	defaultAckWait = 5 * time.Second
)

// OptionKeys are the request metadata that qualify a push, for listeners that have headers instead.
func OptionKeys() []string {
	return []string{keyOffline, keyWait, keyWaitTimeout, keyIdempotency, keyTTL}
}

// options reads what a caller asks for. An error names the metadata, and what is allowed.
func options(ctx context.Context) (o biz.PushOptions, err *biz.Error) {
	md, _ := metadata.FromIncomingContext(ctx) // without metadata nothing is asked for
	for _, v := range md.Get(keyOffline) {
		o.StoreOffline = o.StoreOffline || v == offlineStore
	}
	if keys, named := md[keyIdempotency]; named {
		if o.Key = strings.Join(keys, ","); o.Key == "" {
			return o, invalidMetadata("idempotency-key is empty; 1 to %d bytes are allowed", biz.MaxIDBytes)
		}
	}
	if o.TTL, err = timeToLive(md.Get(keyTTL)); err != nil {
		return o, err
	}
	o.AckWithin, err = ackWait(md.Get(keyWait), md.Get(keyWaitTimeout))
	return o, err
}

// timeToLive reads how long a push is worth something; 0 is for ever.
func timeToLive(ttl []string) (time.Duration, *biz.Error) {
	if len(ttl) == 0 {
		return 0, nil
	}
	d, err := time.ParseDuration(ttl[0])
	if err != nil || d <= 0 || d > biz.MaxPushTTL {
		return 0, invalidMetadata("ttl: %.64q is not possible; a duration such as 30s or 24h, up to %v, is allowed", ttl[0], biz.MaxPushTTL)
	}
	return d, nil
}

// ackWait reads how long to wait for an acknowledgement; 0 is not at all.
func ackWait(wait, timeout []string) (time.Duration, *biz.Error) {
	for _, v := range wait {
		if v != waitAcknowledged {
			return 0, invalidMetadata("wait: %.64q is unknown; acknowledged is allowed", v)
		}
	}
	switch {
	case len(timeout) == 0 && len(wait) == 0:
		return 0, nil
	case len(wait) == 0:
		return 0, invalidMetadata("wait-timeout is there without wait: acknowledged")
	case len(timeout) == 0:
		return defaultAckWait, nil
	}
	d, err := time.ParseDuration(timeout[0])
	if err != nil || d <= 0 || d > biz.MaxAckWait {
		return 0, invalidMetadata("wait-timeout: %.64q is not possible; a duration such as 500ms or 2s, up to %v, is allowed", timeout[0], biz.MaxAckWait)
	}
	return d, nil
}

func invalidMetadata(format string, args ...any) *biz.Error {
	return biz.Errorf(biz.KindInvalid, "INVALID_REQUEST", "metadata "+format, args...)
}
