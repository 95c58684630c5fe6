package upstream

import (
	"strconv"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// Request is what a client asks for. It belongs to the handler, which may keep and change it.
type Request struct {
	Session   string // the id of the session that asks
	OpenID    string // its user, as the gateway has established
	Action    string // as the client wrote it
	Params    map[string]string
	Data      []byte
	Headers   map[string]string // the client's, and the gateway's own
	ClientSeq uint64            // the client's number of the request, from 1
}

// Caller is the session that asks, for pushes to it.
func (r *Request) Caller() Target { return Session(r.Session) }

// GID is the number that the login gave to the session. ok is false when it gave none.
func (r *Request) GID() (gid int64, ok bool) {
	gid, err := strconv.ParseInt(r.Headers[headerGID], 10, 64)
	return gid, err == nil
}

// Zone is the zone of the session, such as 001. Empty: it has none.
func (r *Request) Zone() string { return r.Headers[headerZone] }

// Headers that the gateway adds to requests, and takes from the answer to a login.
const (
	headerGID  = "gid"
	headerZone = "zone"
)

func readRequest(m *upstreamv1.UpstreamRequest) *Request {
	return &Request{
		Session: m.GetSessionId(), OpenID: m.GetOpenid(), Action: m.GetAction(), Params: m.GetParams(),
		Data: m.GetData(), Headers: m.GetHeaders(), ClientSeq: m.GetClientSeqId(),
	}
}

// Codes of answers. Services may use any others.
const (
	CodeOK         = 200
	CodeBadRequest = 400
	CodeNotFound   = 404
)

// Response is the answer to a request.
type Response struct {
	Code    int32 // 0 is CodeOK
	Message string
	Data    []byte
	Headers map[string]string // go to the client
}

// LoggedIn is the answer that lets a session in, to the actions hello, login, auth and signin. gid is
// what it can be pushed to by, beside its user; 0: nothing. zone says which services answer it, where
// the gateway goes by that; empty: its openid does.
func LoggedIn(message string, gid int64, zone string) *Response {
	r := &Response{Message: message, Headers: map[string]string{}}
	if gid != 0 {
		r.Headers[headerGID] = strconv.FormatInt(gid, 10)
	}
	if zone != "" {
		r.Headers[headerZone] = zone
	}
	return r
}

func (r *Response) write(to uint64) *upstreamv1.UpstreamResponse {
	code := r.Code
	if code == 0 {
		code = CodeOK
	}
	return &upstreamv1.UpstreamResponse{Code: code, Message: r.Message, Data: r.Data, Headers: r.Headers, ClientSeqId: to}
}
