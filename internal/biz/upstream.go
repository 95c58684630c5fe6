package biz

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
)

// Upstream is the business services behind a gateway, as one: it answers what clients ask for.
type Upstream interface {
	// Process answers one request. Requests of one session come one after another. An error means
	// that there is no answer: KindUnavailable that the client may try again, all others that it
	// should not expect one.
	Process(ctx context.Context, r *UpstreamRequest) (*UpstreamResponse, error)
}

// UpstreamRequest is what a client asks for.
type UpstreamRequest struct {
	Session   SessionID
	Identity  Identity // who is asking; its GID is the session's
	Zone      string   // the one that the login assigned; empty: none
	Action    string
	Params    map[string]string
	Data      []byte
	Headers   map[string]string
	ClientSeq uint64 // the client's number of the request
}

// forwarded returns the request as services get it. What the node says of a session in headers is the
// node's alone: a client that says it as well is not heard.
func (r *UpstreamRequest) forwarded() *UpstreamRequest {
	out := *r
	out.Headers = maps.Clone(r.Headers)
	maps.DeleteFunc(out.Headers, func(name, _ string) bool {
		return strings.EqualFold(name, HeaderGID) || strings.EqualFold(name, HeaderZone)
	})
	own := loginHeaders(r.Identity.GID, r.Zone)
	if out.Headers == nil {
		out.Headers = own
	}
	maps.Copy(out.Headers, own)
	return &out
}

// UpstreamResponse is the answer to it.
type UpstreamResponse struct {
	Code    int32 // UpstreamOK, or what the service says
	Message string
	Data    []byte
	// Headers go to the client. Those of a login that succeeds may say the session's HeaderGID and
	// HeaderZone.
	Headers map[string]string
}

// UpstreamOK is the code of an answer that brings what was asked for; UpstreamNotFound that of one to
// an action that nobody knows.
const (
	UpstreamOK       = 200
	UpstreamNotFound = 404
)

// Headers of a login's answer, and of every request that follows it.
const (
	HeaderGID  = "gid"  // decimal, of 63 bits at most
	HeaderZone = "zone" // the zone that the session's further requests belong to
)

// UpstreamCaller reaches instances of business services. Safe for concurrent use.
type UpstreamCaller interface {
	// Call asks one instance, until ctx ends at the latest. Errors are *Error: KindUnavailable when the
	// instance was not reached or said nothing, KindResourceLimit when it had no room, KindCanceled when
	// ctx was canceled, all others when it failed. With ErrNotSent among their causes the request has
	// not left the node.
	Call(ctx context.Context, e Endpoint, r *UpstreamRequest) (*UpstreamResponse, error)
	// Reach tells whether an instance can be connected to, until ctx ends at the latest.
	Reach(ctx context.Context, e Endpoint) error
	// Keep closes what is connected to any endpoint but these, once the calls there have ended.
	Keep(endpoints []Endpoint)
}

// ErrNotSent is among the causes of a call's error when it is certain that the request reached nobody.
var ErrNotSent = errors.New("the request has not left the node")

// Endpoint is where an instance is, and how it is spoken to.
type Endpoint struct {
	Address string // host:port
	Current bool   // knows hermod.upstream.v1.UpstreamService, not only its older name
	TLS     bool   // always; otherwise the node's settings decide
}

// UpstreamOutcome is what became of a request.
type UpstreamOutcome uint8

// The outcomes.
const (
	UpstreamAnswered    UpstreamOutcome = iota // whatever the answer
	UpstreamFailed                             // the service failed
	UpstreamTimeout                            // it said nothing in time
	UpstreamUnavailable                        // no instance could be reached, or all were given up for the moment
	UpstreamBusy                               // too many requests for it waited already, or it said so
	UpstreamCanceled                           // the node stopped
)

func (o UpstreamOutcome) String() string {
	return [...]string{"answered", "failed", "timeout", "unavailable", "busy", "canceled"}[o]
}

// UpstreamMeter is told what becomes of requests.
type UpstreamMeter interface {
	// Asked is called once for each request that a service was to answer.
	Asked(service string, o UpstreamOutcome, took time.Duration)
	// Retried is called for each attempt after the first.
	Retried(service string)
}

// Reasons of the errors for which a service is to blame.
const (
	ReasonUpstreamFailed      = "UPSTREAM_FAILED"
	ReasonUpstreamTimeout     = "UPSTREAM_TIMEOUT"
	ReasonUpstreamUnavailable = "UPSTREAM_UNAVAILABLE"
	ReasonUpstreamBusy        = "UPSTREAM_BUSY"
)
