package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// errWrite is why a stream ends whose client does not read it.
var errWrite = errors.New("the answer cannot be written")

// serveStream answers with a line of JSON for each message. An error behind the first one is a line
// {"error":{"code":503,"reason":"NOT_SERVING","text":"..."}}. The call ends when its client goes.
func (s *REST) serveStream(w http.ResponseWriter, r *http.Request, m *restMethod, fill func(any) error) {
	out := &restStream{ctx: r.Context(), w: w, control: http.NewResponseController(w), fill: fill}
	err := m.stream(out)
	if err == nil {
		return
	}
	if !out.begun {
		refuseREST(w, r, s.log, err)
		return
	}
	e := restError(s.log, err)
	line, _ := json.Marshal(map[string]any{"error": map[string]any{"code": e.code, "reason": e.reason, "text": e.text}}) // it has nothing that could fail
	_ = out.write(line)                                                                                                  // a client that has gone does not read it
}

// restStream is a grpc.ServerStream over HTTP.
type restStream struct {
	ctx     context.Context //nolint:containedctx // as every grpc.ServerStream has it
	w       http.ResponseWriter
	control *http.ResponseController
	fill    func(any) error
	begun   bool
}

// Context implements grpc.ServerStream.
func (s *restStream) Context() context.Context { return s.ctx }

// SetHeader, SendHeader and SetTrailer implement grpc.ServerStream: there is no room for metadata.
func (s *restStream) SetHeader(metadata.MD) error  { return nil }
func (s *restStream) SendHeader(metadata.MD) error { return nil }
func (s *restStream) SetTrailer(metadata.MD)       {}

// RecvMsg implements grpc.ServerStream.
func (s *restStream) RecvMsg(m any) error { return s.fill(m) }

// SendMsg implements grpc.ServerStream.
func (s *restStream) SendMsg(m any) error {
	line, err := restJSON.Marshal(m.(proto.Message))
	if err != nil {
		return err
	}
	if !s.begun {
		s.begun = true
		h := s.w.Header()
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
	}
	return s.write(line)
}

func (s *restStream) write(line []byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(httpStall)) // a connection that has none serves as well
	if _, err := s.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	return nil
}
