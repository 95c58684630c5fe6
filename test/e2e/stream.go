package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Hello is what a client says when it opens its stream. Empty fields are not sent.
type Hello struct {
	User, Room, Device, GID string
	Authorization           string
	Capabilities            string
	Session, Ticket         string
	Last                    uint64 // sent with Session
}

func (h Hello) pairs() []string {
	var pairs []string
	for _, p := range [][2]string{
		{"user-id", h.User},
		{"room-id", h.Room},
		{"device-id", h.Device},
		{"gid", h.GID},
		{"authorization", h.Authorization},
		{"capabilities", h.Capabilities},
		{"session-id", h.Session},
		{"resume-ticket", h.Ticket},
	} {
		if p[1] != "" {
			pairs = append(pairs, p[:]...)
		}
	}
	if h.Session != "" {
		pairs = append(pairs, "last-link-seq", strconv.FormatUint(h.Last, 10))
	}
	return pairs
}

// Frame is one message from the server, out of its envelope.
type Frame struct {
	*imv1.MessageResponse
	Link    uint64 // link_seq, its own or counted from the envelope's
	Batched bool
}

// Ack returns what an ACK says.
func (f Frame) Ack(t *testing.T) *imv1.AckContent {
	t.Helper()
	ack := &imv1.AckContent{}
	if f.GetType() != imv1.MessageType_MESSAGE_TYPE_ACK {
		t.Fatalf("not an ACK: %v", f)
	}
	if err := proto.Unmarshal(f.GetContent(), ack); err != nil {
		t.Fatalf("an ACK with content %q: %v", f.GetContent(), err)
	}
	return ack
}

// Stream is a client of the im.v1 stream. Whatever arrives is kept until the test takes it, so that
// the client always reads as fast as it can. Methods without a *testing.T and Send may be called
// from any goroutine.
type Stream struct {
	t      *testing.T
	raw    grpc.BidiStreamingClient[imv1.MessageRequest, imv1.MessageResponse]
	cancel context.CancelFunc
	sends  sync.Mutex
	beats  int

	greeted chan struct{} // closed when the headers are there, or will never be
	header  metadata.MD

	mu     sync.Mutex
	frames []Frame // not taken yet
	err    error   // set at the end, io.EOF when it was clean
	news   chan struct{}
}

// Connect opens a stream of a client that says who it is in its metadata, and waits for the
// server's answer.
func (n *Node) Connect(h Hello) *Stream {
	n.t.Helper()
	return Open(n.t, n.IM, h).Greeted()
}

// Begin opens a stream and waits for nothing.
func (n *Node) Begin(h Hello) *Stream {
	n.t.Helper()
	return Open(n.t, n.IM, h)
}

// Open opens a stream on a connection of its own to any address.
func Open(t *testing.T, addr string, h Hello) *Stream {
	t.Helper()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), h.pairs()...))
	t.Cleanup(cancel)
	raw, err := imv1.NewIMServiceClient(Dial(t, addr)).StreamMessages(ctx, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	s := &Stream{t: t, raw: raw, cancel: cancel, greeted: make(chan struct{}), news: make(chan struct{}, 1)}
	go s.read()
	return s
}

func (s *Stream) read() {
	s.header, _ = s.raw.Header() // without one, Recv says why
	close(s.greeted)
	for {
		m, err := s.raw.Recv()
		s.mu.Lock()
		if err != nil {
			s.err = s.explain(err)
		} else {
			s.frames = append(s.frames, unfold(m)...)
		}
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// explain adds what the trailers say.
func (s *Stream) explain(err error) error {
	trailer := s.raw.Trailer()
	if code := firstOf(trailer, "disconnect-code"); code != "" {
		return fmt.Errorf("%w; disconnected with %s: %s", err, code, firstOf(trailer, "disconnect-reason"))
	}
	return err
}

func unfold(m *imv1.MessageResponse) []Frame {
	if len(m.GetBatch()) == 0 {
		return []Frame{{MessageResponse: m, Link: m.GetLinkSeq()}}
	}
	frames := make([]Frame, len(m.GetBatch()))
	for i, item := range m.GetBatch() {
		frames[i] = Frame{MessageResponse: item, Batched: true}
		if m.GetLinkSeq() > 0 {
			frames[i].Link = m.GetLinkSeq() + uint64(i)
		}
	}
	return frames
}

// Greeted waits for the server's answer to the opening.
func (s *Stream) Greeted() *Stream {
	s.t.Helper()
	select {
	case <-s.greeted:
	case <-within(s.t).Done():
		s.t.Fatal("no headers")
	}
	if s.Header("session-id") == "" {
		_, err := s.next(within(s.t))
		s.t.Fatalf("the stream was refused: %v", err)
	}
	return s
}

// Header returns one of the response headers; the stream was greeted.
func (s *Stream) Header(key string) string { return firstOf(s.header, key) }

func firstOf(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Send writes to the stream. That the stream has ended is found out by reading.
func (s *Stream) Send(req *imv1.MessageRequest) {
	s.sends.Lock()
	defer s.sends.Unlock()
	if err := s.raw.Send(req); err != nil && !errors.Is(err, io.EOF) {
		s.t.Errorf("send: %v", err)
	}
}

// Say sends a text under an id of the client's.
func (s *Stream) Say(room, id, content string) {
	s.Send(&imv1.MessageRequest{MessageId: id, RoomId: room, Type: text, Content: []byte(content)})
}

// AckLink acknowledges every frame of the session up to a number.
func (s *Stream) AckLink(link uint64) {
	s.Send(&imv1.MessageRequest{
		Type:     imv1.MessageType_MESSAGE_TYPE_ACK,
		Metadata: map[string]string{"link-seq": strconv.FormatUint(link, 10)},
	})
}

// AckMessage acknowledges a message and all before it in its room, in protobuf or in JSON.
func (s *Stream) AckMessage(room, id string, json bool) {
	s.t.Helper()
	content := &imv1.AckContent{OriginalMessageId: id, Success: true}
	marshal := proto.Marshal
	if json {
		marshal = protojson.MarshalOptions{UseProtoNames: true}.Marshal
	}
	data, err := marshal(content)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Send(&imv1.MessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_ACK, Content: data})
}

// next returns the next frame, or why there is none.
func (s *Stream) next(ctx context.Context) (Frame, error) {
	for {
		s.mu.Lock()
		if len(s.frames) > 0 {
			f := s.frames[0]
			s.frames[0] = Frame{}
			s.frames = s.frames[1:]
			s.mu.Unlock()
			return f, nil
		}
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return Frame{}, err
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			return Frame{}, fmt.Errorf("nothing came: %w", ctx.Err())
		}
	}
}

// Next returns the next frame.
func (s *Stream) Next() Frame {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	f, err := s.next(ctx)
	if err != nil {
		s.t.Fatalf("waiting for a frame: %v", err)
	}
	return f
}

// Until takes frames up to the first one that is wanted, and returns that one.
func (s *Stream) Until(what string, wanted func(Frame) bool) Frame {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		f, err := s.next(ctx)
		if err != nil {
			s.t.Fatalf("waiting for %s: %v", what, err)
		}
		if wanted(f) {
			return f
		}
	}
}

// Take returns the next frames.
func (s *Stream) Take(count int) []Frame {
	s.t.Helper()
	frames := make([]Frame, 0, count)
	for range count {
		frames = append(frames, s.Next())
	}
	return frames
}

// Flush returns everything that the server had queued for this session by now: it beats, and takes
// what comes before the echo.
func (s *Stream) Flush() []Frame {
	s.t.Helper()
	s.beats++
	beat := fmt.Sprintf("beat %d", s.beats)
	s.Send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Content: []byte(beat)})
	var frames []Frame
	for {
		f := s.Next()
		if f.GetType() == imv1.MessageType_MESSAGE_TYPE_HEARTBEAT && string(f.GetContent()) == beat {
			return frames
		}
		frames = append(frames, f)
	}
}

// End ends the client's half and waits for the clean end of the server's.
func (s *Stream) End() {
	s.t.Helper()
	s.sends.Lock()
	err := s.raw.CloseSend()
	s.sends.Unlock()
	if err != nil {
		s.t.Error(err)
	}
	if err := s.Ended(); !errors.Is(err, io.EOF) {
		s.t.Errorf("the stream ended with %v, not cleanly", err)
	}
}

// Cut breaks the stream off.
func (s *Stream) Cut() { s.cancel() }

// Ended waits for the end, taking what comes before it, and returns how it ended.
func (s *Stream) Ended() error {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		if _, err := s.next(ctx); err != nil {
			if ctx.Err() != nil {
				s.t.Fatal("the stream does not end")
			}
			return err
		}
	}
}

// Disconnected waits for the end and checks the code that the server gives for it. It returns the
// gRPC status, for clients that read no trailers.
func (s *Stream) Disconnected(code string) codes.Code {
	s.t.Helper()
	err := s.Ended()
	if got := firstOf(s.raw.Trailer(), "disconnect-code"); got != code {
		s.t.Errorf("disconnect-code %q, status %v; want %s", got, err, code)
	}
	if firstOf(s.raw.Trailer(), "disconnect-reason") == "" {
		s.t.Error("no disconnect-reason")
	}
	return status.Code(err)
}
