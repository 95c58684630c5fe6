package service

import (
	"context"
	"errors"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/game-im/hermod/internal/biz"
)

// audioFrames is a biz.AudioSource: the frames of an UploadAudio stream. gRPC's Recv waits for the
// sender until the handler has returned, so a goroutine calls it, when it is asked to, and whoever
// waits can give up before.
type audioFrames struct {
	stream grpc.ServerStream
	bytes  prometheus.Counter
	frame  audioFrame // the receiver's from ask to got, the asker's otherwise
	ask    chan struct{}
	got    chan error
}

func receiveFrames(stream grpc.ServerStream, bytes prometheus.Counter) *audioFrames {
	s := &audioFrames{stream: stream, bytes: bytes, ask: make(chan struct{}, 1), got: make(chan error, 1)}
	go s.receive()
	return s
}

// stop ends the receiver as soon as the handler has returned. Nothing is asked for afterwards.
func (s *audioFrames) stop() { close(s.ask) }

func (s *audioFrames) receive() {
	defer s.frame.free()
	for range s.ask {
		s.frame.free()
		s.got <- s.stream.RecvMsg(&s.frame)
	}
}

// Draft implements biz.AudioSource.
func (s *audioFrames) Draft(ctx context.Context) (biz.AudioDraft, error) {
	err := s.next(ctx)
	switch {
	case errors.Is(err, io.EOF):
		return biz.AudioDraft{}, protocolError("the stream ended without any frame")
	case err != nil:
		return biz.AudioDraft{}, err
	case s.frame.metadata == nil:
		return biz.AudioDraft{}, protocolError("the first frame has a chunk and no metadata")
	}
	m := s.frame.metadata
	return biz.AudioDraft{
		Room: biz.RoomID(m.GetRoomId()), User: biz.UserID(m.GetUserId()),
		Format: m.GetFormat(), Size: m.GetSize(), Seconds: m.GetDuration(),
	}, nil
}

// Next implements biz.AudioSource.
func (s *audioFrames) Next(ctx context.Context) ([]byte, error) {
	if err := s.next(ctx); err != nil {
		return nil, err
	}
	if s.frame.metadata != nil {
		return nil, protocolError("metadata came a second time")
	}
	s.bytes.Add(float64(len(s.frame.chunk)))
	return s.frame.chunk, nil
}

// next receives a frame that says something.
func (s *audioFrames) next(ctx context.Context) error {
	s.ask <- struct{}{} // never waits: the answer to the one before was received, or nobody asks again
	select {
	case err := <-s.got:
		switch {
		case err != nil:
			return receiveError(err)
		case s.frame.err != nil:
			return biz.Errorf(biz.KindInvalid, "MALFORMED", "a frame could not be decoded: %v", s.frame.err)
		case s.frame.metadata == nil && !s.frame.hasChunk:
			return protocolError("a frame has neither metadata nor a chunk")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func protocolError(what string) error {
	return biz.Errorf(biz.KindInvalid, "UPLOAD_PROTOCOL", "%s; an upload is one frame of metadata, then chunks", what)
}

// receiveError says what the failure of a Recv means.
func receiveError(err error) error {
	switch status.Code(err) {
	case grpccodes.Canceled:
		return context.Canceled
	case grpccodes.DeadlineExceeded:
		return context.DeadlineExceeded
	case grpccodes.ResourceExhausted:
		return biz.Errorf(biz.KindInvalid, "CHUNK_TOO_LARGE", "a frame is too large: %s", status.Convert(err).Message())
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return biz.Errorf(biz.KindCanceled, "UPLOAD_BROKEN", "the upload broke off").Because(err)
}
