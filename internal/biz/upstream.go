package biz

import "context"

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

// Headers of a login's answer.
const (
	HeaderGID  = "gid"  // decimal, of 63 bits at most
	HeaderZone = "zone" // the zone that the session's further requests belong to
)
