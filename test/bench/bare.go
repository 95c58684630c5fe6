package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/app/hermodctl/bench"
)

const (
	envelopeItems   = 64  // most messages in one envelope
	memberQueue     = 256 // publications waiting for one stream
	bareWriteBuffer = 64 << 10
	bareReadBuffer  = 4 << 10
	batchField      = 11 // MessageResponse.batch
)

// runBare is the command `bench bare`: it serves until ctx ends.
func runBare(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench bare", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:0", "address to serve im.v1 on")
	web := fs.String("web", "127.0.0.1:0", "address to serve im.v1 over WebSocket on")
	quic := fs.String("quic", "127.0.0.1:0", "address to serve the gateway protocol over QUIC on")
	service := fs.String("service", "127.0.0.1:0", "address to serve GatewayService and UpstreamService on")
	upstream := fs.String("upstream", "", "address of the UpstreamService that requests go on to; empty to answer them")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var listeners []net.Listener
	for _, a := range []string{*addr, *web, *service} {
		lis, err := net.Listen("tcp", a)
		if err != nil {
			return err
		}
		listeners = append(listeners, lis)
	}
	fmt.Println("bare loop on", listeners[0].Addr(), "over WebSocket on", listeners[1].Addr(), "for services on", listeners[2].Addr())
	loop := newWebLoop()
	var group errgroup.Group
	group.Go(func() error { return serveBare(ctx, listeners[0]) })
	group.Go(func() error { return loop.listen(ctx, listeners[1]) })
	group.Go(func() error { return serveBareQUIC(ctx, *quic) })
	group.Go(func() error { return serveBareService(ctx, listeners[2], loop, *upstream) })
	return group.Wait()
}

func serveBare(ctx context.Context, lis net.Listener) error {
	srv := grpc.NewServer(
		grpc.ForceServerCodecV2(bench.Codec{}),
		grpc.WriteBufferSize(bareWriteBuffer),
		grpc.ReadBufferSize(bareReadBuffer),
	)
	imv1.RegisterIMServiceServer(srv, &bareLoop{rooms: map[string]*bareRoom{}})
	defer context.AfterFunc(ctx, srv.Stop)()
	return srv.Serve(lis)
}

// bareLoop is the im.v1 stream and nothing around it: what one would write with grpc-go for a room
// that is fast and forgets. There is no store, no identity, no membership, no resume and no slow
// client; a full queue makes the sender wait.
type bareLoop struct {
	imv1.UnimplementedIMServiceServer

	mu    sync.Mutex
	rooms map[string]*bareRoom
}

// bareRoom gives publishers a list of members that they read without a lock.
type bareRoom struct {
	id      string
	mu      sync.Mutex
	members atomic.Pointer[roster]
}

// roster is never changed once published.
type roster struct {
	members        []*bareMember
	plain, batched bool // which encodings are wanted
}

// bareMember is one stream and its writer goroutine.
type bareMember struct {
	stream    grpc.ServerStream
	user      string
	out       chan *publication
	ack       bool
	batch     bool
	closed    <-chan struct{}
	nextLocal uint64
}

// publication is a message encoded once for all of its receivers.
type publication struct {
	prepared *grpc.PreparedMsg // for streams that take single frames
	item     mem.Buffer        // for envelopes: the message as a field of its envelope
	body     mem.Buffer        // the same message alone
}

func (s *bareLoop) StreamMessages(stream grpc.BidiStreamingServer[imv1.MessageRequest, imv1.MessageResponse]) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	names := strings.Split(first(md, "capabilities"), ",")
	m := &bareMember{
		stream: stream,
		user:   first(md, "user-id"),
		out:    make(chan *publication, memberQueue),
		ack:    slices.Contains(names, "ack"),
		batch:  slices.Contains(names, "batch"),
		closed: stream.Context().Done(),
	}
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	room := s.room(first(md, "room-id"))
	room.add(m)
	defer room.remove(m)
	var writer sync.WaitGroup
	writer.Go(m.write)
	defer writer.Wait()
	return room.read(stream, m)
}

func first(md metadata.MD, key string) string {
	if v := md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

func (s *bareLoop) room(id string) *bareRoom {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[id]
	if r == nil {
		r = &bareRoom{id: id}
		r.members.Store(&roster{})
		s.rooms[id] = r
	}
	return r
}

func (r *bareRoom) add(m *bareMember) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members.Store(newRoster(append(slices.Clone(r.members.Load().members), m)))
}

func (r *bareRoom) remove(m *bareMember) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(r.members.Load().members), func(o *bareMember) bool { return o == m })
	r.members.Store(newRoster(left))
}

func newRoster(members []*bareMember) *roster {
	l := &roster{members: members}
	for _, m := range members {
		l.batched = l.batched || m.batch
		l.plain = l.plain || !m.batch
	}
	return l
}

// read handles what the client sends until its stream ends.
func (r *bareRoom) read(stream grpc.BidiStreamingServer[imv1.MessageRequest, imv1.MessageResponse], m *bareMember) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return nil // the client went away: nothing to tell it
		}
		switch req.GetType() {
		case imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
			err = m.reply(&imv1.MessageResponse{Type: req.GetType(), Timestamp: timestamppb.Now()})
		case imv1.MessageType_MESSAGE_TYPE_ACK:
		default:
			err = r.publish(m, req)
		}
		if err != nil {
			return err
		}
	}
}

// publish encodes the message once, queues it for everybody else and answers the sender.
func (r *bareRoom) publish(from *bareMember, req *imv1.MessageRequest) error {
	list := r.members.Load()
	from.nextLocal++
	p, err := encode(from.stream, &imv1.MessageResponse{
		MessageId:  fmt.Sprintf("%s-%d", from.user, from.nextLocal),
		FromUserId: from.user,
		RoomId:     r.id,
		Type:       req.GetType(),
		Content:    req.GetContent(),
		Metadata:   req.GetMetadata(),
		Timestamp:  timestamppb.Now(),
	}, list.plain, list.batched)
	if err != nil {
		return err
	}
	for _, m := range list.members {
		if m != from {
			m.push(p)
		}
	}
	if !from.ack {
		return nil
	}
	return from.acknowledge(req.GetMessageId())
}

func (m *bareMember) acknowledge(id string) error {
	content, err := proto.Marshal(&imv1.AckContent{OriginalMessageId: id, Success: true})
	if err != nil {
		return err
	}
	return m.reply(&imv1.MessageResponse{
		Type:      imv1.MessageType_MESSAGE_TYPE_ACK,
		Content:   content,
		Timestamp: timestamppb.Now(),
	})
}

func (m *bareMember) reply(resp *imv1.MessageResponse) error {
	p, err := encode(m.stream, resp, !m.batch, m.batch)
	if err != nil {
		return err
	}
	m.push(p)
	return nil
}

// push waits for a place in the queue, or for the end of the stream.
func (m *bareMember) push(p *publication) {
	select {
	case m.out <- p:
	default:
		select {
		case m.out <- p:
		case <-m.closed:
		}
	}
}

// write sends what is queued, back to back, until the stream ends.
func (m *bareMember) write() {
	for {
		select {
		case <-m.closed:
			return
		case p := <-m.out:
			if err := m.send(p); err != nil {
				return // the stream is broken, and read sees it as well
			}
		}
	}
}

func (m *bareMember) send(p *publication) error {
	if !m.batch {
		return m.stream.SendMsg(p.prepared)
	}
	queued := min(len(m.out), envelopeItems-1)
	if queued == 0 {
		return m.stream.SendMsg(mem.BufferSlice{p.body})
	}
	envelope := make(mem.BufferSlice, 1, 1+queued)
	envelope[0] = p.item
	for range queued { // this goroutine is the only reader, so they are still there
		envelope = append(envelope, (<-m.out).item)
	}
	return m.stream.SendMsg(envelope)
}

// encode makes the wanted forms of a message. All streams have one codec and no compression, so a
// PreparedMsg made for one is good for all.
func encode(stream grpc.ServerStream, resp *imv1.MessageResponse, plain, batched bool) (*publication, error) {
	size := proto.Size(resp)
	b := make([]byte, 0, size+8)
	b = protowire.AppendTag(b, batchField, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	head := len(b)
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, resp)
	if err != nil {
		return nil, err
	}
	p := &publication{}
	if batched {
		p.item, p.body = mem.SliceBuffer(b), mem.SliceBuffer(b[head:])
	}
	if plain {
		p.prepared = &grpc.PreparedMsg{}
		err = p.prepared.Encode(stream, b[head:])
	}
	return p, err
}
