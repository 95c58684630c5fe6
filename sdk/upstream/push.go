package upstream

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// Target is whom a push is for.
type Target struct {
	Type string // openid, gid, session
	ID   string
}

// OpenID targets every session of a user.
func OpenID(id string) Target { return Target{"openid", id} }

// GID targets every session of a gid.
func GID(gid int64) Target { return Target{"gid", strconv.FormatInt(gid, 10)} }

// Session targets one session.
func Session(id string) Target { return Target{"session", id} }

func (t Target) String() string { return t.Type + " " + t.ID }

// Notification is what is pushed. All of it together may have 1 MiB, unless the gateway is configured
// otherwise (push.max_bytes).
type Notification struct {
	MsgType  string // for clients to tell pushes apart
	Title    string
	Content  string
	Data     []byte
	Metadata map[string]string
}

// Status is what became of a push to one target.
type Status string

// The outcomes. Delivered and Queued are successes.
const (
	Delivered Status = "delivered" // queued for a connected session; with WaitForAck, acknowledged
	Queued    Status = "queued"    // it waits for its user; with WaitForAck, or was not acknowledged in time
	Offline   Status = "offline"
	NotFound  Status = "not_found" // no such session
	Slow      Status = "slow"      // the session's queue is full
	Rejected  Status = "rejected"  // never attempted
	Unknown   Status = "unknown"   // it may have arrived
	Expired   Status = "expired"   // its TTL was over before anybody was written it
)

// Outcome is what the gateway says became of a push.
type Outcome struct {
	Status  Status
	Message string // the gateway's words
}

// Result is the outcome for one target of a batch. Err is a *PushError unless it was a success.
type Result struct {
	Target  Target
	Outcome Outcome
	Err     error
}

// Push pushes n to one target. The error is nil when it was delivered or queued, and a *PushError when
// the gateway refused it; then the outcome says more. After any other error there is none.
func (c *UnicastClient) Push(ctx context.Context, to Target, n Notification, opts ...CallOption) (Outcome, error) {
	o, err := collect(opts)
	if err == nil {
		err = o.checkBound(to)
	}
	if err != nil {
		return Outcome{}, err
	}
	req := &gatewayv1.UnicastPushRequest{
		TargetType: to.Type, TargetId: to.ID, SyncHint: o.hint, BindClientSeqId: o.bound,
		MsgType: n.MsgType, Title: n.Title, Content: n.Content, Data: n.Data, Metadata: n.Metadata,
	}
	var resp *gatewayv1.UnicastPushResponse
	err = c.invoke(ctx, o, func(ctx context.Context, g gatewayv1.GatewayServiceClient) (err error) {
		resp, err = g.PushToClient(ctx, req)
		return err
	})
	if err != nil {
		return Outcome{}, callError(err)
	}
	r := result(to, resp.GetSuccess(), resp.GetOutcome(), resp.GetMessage(), resp.GetErrorCode())
	return r.Outcome, r.Err
}

// PushBatch pushes n to many targets, 10,000 at most unless the gateway is configured otherwise
// (push.max_targets). The results are in the order of the targets; that some of them failed is no error
// of the call.
func (c *UnicastClient) PushBatch(ctx context.Context, to []Target, n Notification, opts ...CallOption) ([]Result, error) {
	resp, err := c.batch(ctx, to, n, opts)
	if err != nil {
		return nil, err
	}
	if len(resp.GetResults()) != len(to) {
		return nil, fmt.Errorf("upstream: the gateway answered for %d of %d targets", len(resp.GetResults()), len(to))
	}
	results := make([]Result, len(to))
	for i, r := range resp.GetResults() {
		text := r.GetMessage()
		if text == "" {
			text = r.GetErrorMessage()
		}
		results[i] = result(to[i], r.GetSuccess(), r.GetOutcome(), text, r.GetErrorCode())
	}
	return results, nil
}

func (c *UnicastClient) batch(ctx context.Context, to []Target, n Notification, opts []CallOption) (resp *gatewayv1.BatchUnicastPushResponse, err error) {
	o, err := collect(opts)
	if err == nil {
		err = o.onlyForOne()
	}
	if err != nil {
		return nil, err
	}
	req := &gatewayv1.BatchUnicastPushRequest{
		Targets: make([]*gatewayv1.UnicastTarget, len(to)),
		MsgType: n.MsgType, Title: n.Title, Content: n.Content, Data: n.Data, Metadata: n.Metadata,
	}
	for i, t := range to {
		req.Targets[i] = &gatewayv1.UnicastTarget{TargetType: t.Type, TargetId: t.ID}
	}
	err = c.invoke(ctx, o, func(ctx context.Context, g gatewayv1.GatewayServiceClient) (err error) {
		resp, err = g.BatchPushToClients(ctx, req)
		return err
	})
	if err != nil {
		return nil, callError(err)
	}
	return resp, nil
}

// Broadcast pushes n to every connected session and returns how many took it. Of the options it knows
// IdempotencyKey, TTL and Header.
func (c *UnicastClient) Broadcast(ctx context.Context, n Notification, opts ...CallOption) (sent int, err error) {
	o, err := collect(opts)
	if err == nil {
		err = o.onlyForTargets()
	}
	if err != nil {
		return 0, err
	}
	req := &gatewayv1.BroadcastRequest{
		MsgType: n.MsgType, Title: n.Title, Content: n.Content, Data: n.Data, Metadata: n.Metadata,
	}
	var resp *gatewayv1.BroadcastResponse
	err = c.invoke(ctx, o, func(ctx context.Context, g gatewayv1.GatewayServiceClient) (err error) {
		resp, err = g.BroadcastToClients(ctx, req)
		return err
	})
	if err != nil {
		return 0, callError(err)
	}
	return int(resp.GetSentCount()), nil
}

var statuses = map[gatewayv1.PushOutcome]Status{
	gatewayv1.PushOutcome_PUSH_OUTCOME_DELIVERED: Delivered,
	gatewayv1.PushOutcome_PUSH_OUTCOME_QUEUED:    Queued,
	gatewayv1.PushOutcome_PUSH_OUTCOME_OFFLINE:   Offline,
	gatewayv1.PushOutcome_PUSH_OUTCOME_NOT_FOUND: NotFound,
	gatewayv1.PushOutcome_PUSH_OUTCOME_SLOW:      Slow,
	gatewayv1.PushOutcome_PUSH_OUTCOME_REJECTED:  Rejected,
	gatewayv1.PushOutcome_PUSH_OUTCOME_UNKNOWN:   Unknown,
	gatewayv1.PushOutcome_PUSH_OUTCOME_EXPIRED:   Expired,
}

// older is what a gateway that has no outcomes says by its error codes.
var older = map[string]Status{
	"TARGET_OFFLINE": Offline, "TARGET_NOT_FOUND": NotFound, "TARGET_SLOW": Slow, "UNKNOWN": Unknown, "EXPIRED": Expired,
}

func result(to Target, success bool, outcome gatewayv1.PushOutcome, message, code string) Result {
	r := Result{Target: to, Outcome: Outcome{Status: statuses[outcome], Message: message}}
	if r.Outcome.Status == "" {
		r.Outcome.Status = olderStatus(success, message, code)
	}
	if !success {
		r.Err = &PushError{Code: code, Message: message, Target: to}
	}
	return r
}

func olderStatus(success bool, message, code string) Status {
	status, known := older[code]
	switch {
	case success && strings.HasPrefix(message, string(Queued)):
		return Queued
	case success:
		return Delivered
	case known:
		return status
	}
	return Rejected
}
