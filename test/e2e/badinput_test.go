package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// bytesCodec writes requests that no protobuf library would.
type bytesCodec struct{ encoding.Codec }

func (bytesCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (bytesCodec) Name() string                       { return "proto" }

// rawField encodes one string field as it is, valid or not.
func rawField(b []byte, number protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), s)
}

var long = strings.Repeat("x", 255)

// TestBadInput has every kind of bad call beside many good ones: each is refused with a reason, and
// nobody else notices.
func TestBadInput(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	const senders = 8
	var good [senders]*busySender
	for i := range good {
		good[i] = &busySender{
			Stream: n.Connect(Hello{User: fmt.Sprint("good ", i), Room: "room", Capabilities: "ack"}),
			user:   "good", count: 300, window: 8, acked: map[string]int64{},
		}
	}
	join(t, im, "room", "alice")
	join(t, im, "large", "alice")
	var wg sync.WaitGroup
	for _, s := range good {
		wg.Go(func() {
			if err := s.run(within(t), "room"); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		badSends(t, im)
		badRooms(t, im)
		badFrames(t, n)
	}
	wg.Wait()
	if head := info(t, im, "room", "alice").GetRoomInfo().GetMessageCount(); head != senders*300 {
		t.Errorf("the room has %d messages, want %d of the good ones", head, senders*300)
	}
	if !n.Ready() {
		t.Error("the node is not ready any more")
	}
}

func badSends(t *testing.T, im imv1.IMServiceClient) {
	t.Helper()
	for what, c := range map[string]struct {
		change func(*imv1.SendMessageRequest)
		code   codes.Code
		reason string
	}{
		"no room":          {func(r *imv1.SendMessageRequest) { r.RoomId = "" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"no user":          {func(r *imv1.SendMessageRequest) { r.UserId = "" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"256 bytes room":   {func(r *imv1.SendMessageRequest) { r.RoomId = long + "x" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"256 bytes user":   {func(r *imv1.SendMessageRequest) { r.UserId = long + "x" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"256 bytes id":     {func(r *imv1.SendMessageRequest) { r.MessageId = long + "x" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"255 bytes room":   {func(r *imv1.SendMessageRequest) { r.RoomId = long }, codes.NotFound, "ROOM_NOT_FOUND"},
		"255 bytes user":   {func(r *imv1.SendMessageRequest) { r.UserId = long }, codes.PermissionDenied, "NOT_A_MEMBER"},
		"unknown room":     {func(r *imv1.SendMessageRequest) { r.RoomId = "nowhere" }, codes.NotFound, "ROOM_NOT_FOUND"},
		"no member":        {func(r *imv1.SendMessageRequest) { r.UserId = "eve" }, codes.PermissionDenied, "NOT_A_MEMBER"},
		"NUL in user":      {func(r *imv1.SendMessageRequest) { r.UserId = "a\x00" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"NUL in room":      {func(r *imv1.SendMessageRequest) { r.RoomId = "\x00" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"NUL in id":        {func(r *imv1.SendMessageRequest) { r.MessageId = "a\x00b" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"NUL in metadata":  {func(r *imv1.SendMessageRequest) { r.Metadata = map[string]string{"k": "\x00"} }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"NUL in a key":     {func(r *imv1.SendMessageRequest) { r.Metadata = map[string]string{"\x00": ""} }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"too much of that": {func(r *imv1.SendMessageRequest) { r.Metadata = map[string]string{"k": strings.Repeat("x", 16<<10)} }, codes.InvalidArgument, "METADATA_TOO_LARGE"},
		"no type":          {func(r *imv1.SendMessageRequest) { r.Type = 0 }, codes.InvalidArgument, "INVALID_TYPE"},
		"unknown type":     {func(r *imv1.SendMessageRequest) { r.Type = 4711 }, codes.InvalidArgument, "INVALID_TYPE"},
		"negative type":    {func(r *imv1.SendMessageRequest) { r.Type = -1 }, codes.InvalidArgument, "INVALID_TYPE"},
		"an ACK":           {func(r *imv1.SendMessageRequest) { r.Type = 5 }, codes.InvalidArgument, "INVALID_TYPE"},
		"a notice":         {func(r *imv1.SendMessageRequest) { r.Type = 6 }, codes.InvalidArgument, "INVALID_TYPE"},
		"a heartbeat":      {func(r *imv1.SendMessageRequest) { r.Type = 8 }, codes.InvalidArgument, "INVALID_TYPE"},
		"1 MiB and 1 byte": {func(r *imv1.SendMessageRequest) { r.Content = make([]byte, 1<<20+1) }, codes.InvalidArgument, "CONTENT_TOO_LARGE"},
	} {
		req := &imv1.SendMessageRequest{UserId: "alice", RoomId: "room", Type: text, Content: []byte("bad")}
		c.change(req)
		_, err := im.SendMessage(within(t), req)
		refused(t, what, err, c.code, c.reason)
	}
	// At the limit it is accepted; far beyond every limit it does not get as far as the service.
	req := &imv1.SendMessageRequest{UserId: "alice", RoomId: "large", Type: text, Content: make([]byte, 1<<20)}
	if _, err := im.SendMessage(within(t), req); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	req.Content = make([]byte, 3<<20)
	if _, err := im.SendMessage(within(t), req); err == nil {
		t.Error("3 MiB were accepted")
	}
	_, err := im.SendMessage(with(t, "user-id", "eve"), &imv1.SendMessageRequest{UserId: "alice", RoomId: "room", Type: text})
	refused(t, "in another's name", err, codes.PermissionDenied, "FOREIGN_USER")
}

func badRooms(t *testing.T, im imv1.IMServiceClient) {
	t.Helper()
	for what, req := range map[string]*imv1.JoinRoomRequest{
		"no room":       {UserId: "alice"},
		"no user":       {RoomId: "room"},
		"256 bytes":     {UserId: "alice", RoomId: long + "x"},
		"NUL":           {UserId: "alice", RoomId: "a\x00"},
		"long nickname": {UserId: "alice", RoomId: "room", Metadata: map[string]string{"nickname": long + "x"}},
		"NUL nickname":  {UserId: "alice", RoomId: "room", Metadata: map[string]string{"nickname": "\x00"}},
	} {
		_, err := im.JoinRoom(within(t), req)
		refused(t, "join: "+what, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	}
	_, err := im.GetRoomInfo(within(t), &imv1.GetRoomInfoRequest{UserId: "alice"})
	refused(t, "info of nothing", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = im.GetRoomInfo(within(t), &imv1.GetRoomInfoRequest{UserId: "alice", RoomId: "nowhere"})
	refused(t, "info of an unknown room", err, codes.NotFound, "ROOM_NOT_FOUND")
	_, err = im.GetRoomInfo(within(t), &imv1.GetRoomInfoRequest{UserId: "eve", RoomId: "room"})
	refused(t, "info for a stranger", err, codes.PermissionDenied, "NOT_A_MEMBER")
	_, err = im.LeaveRoom(within(t), &imv1.LeaveRoomRequest{UserId: "alice"})
	refused(t, "leave nothing", err, codes.InvalidArgument, "INVALID_ARGUMENT")
}

// badFrames sends bad frames on one stream, which goes on.
func badFrames(t *testing.T, n *Node) {
	t.Helper()
	s := n.Connect(Hello{User: "alice", Room: "room"})
	for _, c := range []struct {
		req    *imv1.MessageRequest
		reason string
	}{
		{&imv1.MessageRequest{Type: text, RoomId: "nowhere"}, "ROOM_NOT_FOUND"},
		{&imv1.MessageRequest{Type: text, UserId: "bob"}, "FOREIGN_USER"},
		{&imv1.MessageRequest{Type: text, RoomId: long + "x"}, "INVALID_ARGUMENT"},
		{&imv1.MessageRequest{Type: text, RoomId: "a\x00"}, "INVALID_ARGUMENT"},
		{&imv1.MessageRequest{Type: text, MessageId: long + "x"}, "INVALID_ARGUMENT"},
		{&imv1.MessageRequest{Type: 99}, "INVALID_TYPE"},
		{&imv1.MessageRequest{}, "INVALID_TYPE"},
		{&imv1.MessageRequest{Type: 7}, "INVALID_TYPE"},
		{&imv1.MessageRequest{Type: text, Content: make([]byte, 1<<20+1)}, "CONTENT_TOO_LARGE"},
		{&imv1.MessageRequest{Type: text, Metadata: map[string]string{"k": "\x00"}}, "INVALID_ARGUMENT"},
		{&imv1.MessageRequest{Type: 5, Content: []byte("not an AckContent")}, "INVALID_ARGUMENT"},
		{&imv1.MessageRequest{Type: 5, Content: []byte(`{"original_message_id": 7`)}, "INVALID_ARGUMENT"},
		{&imv1.MessageRequest{Type: 5}, "INVALID_ARGUMENT"},
		{&imv1.MessageRequest{Type: 5, Metadata: map[string]string{"link-seq": "-1"}}, "INVALID_ARGUMENT"},
	} {
		if c.req.MessageId == "" {
			c.req.MessageId = "bad"
		}
		s.Send(c.req)
		f := s.Until("the refusal", func(f Frame) bool { return f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK })
		if ack := f.Ack(t); ack.GetSuccess() || ack.GetErrorMessage() == "" || f.GetMetadata()["reason"] != c.reason {
			t.Errorf("%.100v was answered by %.200v", c.req, f)
		}
	}
	s.End()

	// What is no MessageRequest at all is refused on the stream, too.
	ctx := metadata.AppendToOutgoingContext(within(t), "user-id", "alice", "room-id", "room")
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	raw, err := Dial(t, n.IM).NewStream(ctx, desc, "/im.v1.IMService/StreamMessages", grpc.ForceCodec(bytesCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{{0xff, 0xff}, rawField(nil, 3, "\xff"), {0x0a, 0x7f}} {
		if err := raw.SendMsg(body); err != nil {
			t.Fatal(err)
		}
		for {
			var reply []byte
			if err := raw.RecvMsg(&reply); err != nil {
				t.Fatalf("after %x: %v", body, err)
			}
			if bytes.Contains(reply, []byte("MALFORMED")) {
				break
			}
		}
	}
	if err := raw.CloseSend(); err != nil {
		t.Error(err)
	}
}

// TestUndecodableRequests: the fault is the caller's, and he is told so.
func TestUndecodableRequests(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	for what, body := range map[string][]byte{
		"invalid UTF-8 as user": rawField(rawField(nil, 1, "a\xff"), 2, "room"),
		"invalid UTF-8 as room": rawField(rawField(nil, 1, "alice"), 2, "\xc3\x28"),
		"garbage":               {0xff, 0xff, 0xff},
		"cut off":               {0x0a, 0x7f, 'a'},
	} {
		for addr, methods := range map[string][]string{
			n.IM:      {"im.v1.IMService/SendMessage", "im.v1.IMService/JoinRoom"},
			n.Gateway: {"hermod.gateway.v1.GatewayService/PushToClient", "gatesvr.proto.GatewayService/PushToClient"},
		} {
			conn := Dial(t, addr)
			for _, method := range methods {
				var reply []byte
				err := conn.Invoke(within(t), "/"+method, body, &reply, grpc.ForceCodec(bytesCodec{}))
				refused(t, method+" with "+what, err, codes.InvalidArgument, "MALFORMED")
			}
		}
	}
	err := Dial(t, n.IM).Invoke(within(t), "/im.v1.IMService/NoSuchMethod", []byte{}, new([]byte), grpc.ForceCodec(bytesCodec{}))
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
	join(t, n.Calls(), "room", "alice")
	say(t, n.Calls(), "room", "alice", "still here")
}

// TestBadOpenings: streams that cannot be opened say why.
func TestBadOpenings(t *testing.T) {
	t.Parallel()
	n := Start(t, "room:\n  auto_create: false\n")
	for what, c := range map[string]struct {
		hello  Hello
		code   codes.Code
		reason string
	}{
		"long user":    {Hello{User: long + "x"}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"long device":  {Hello{User: "alice", Device: long + "x"}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"long room":    {Hello{User: "alice", Room: long + "x"}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"unknown room": {Hello{User: "alice", Room: "nowhere"}, codes.NotFound, "ROOM_NOT_FOUND"},
		"gid":          {Hello{User: "alice", GID: "seven"}, codes.Unauthenticated, "UNAUTHENTICATED"},
	} {
		refused(t, what, n.Begin(c.hello).Ended(), c.code, c.reason)
	}
	ctx := metadata.AppendToOutgoingContext(within(t), "user-id", "alice", "session-id", "x", "last-link-seq", "many")
	s, err := n.Calls().StreamMessages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Recv()
	refused(t, "last-link-seq", err, codes.InvalidArgument, "INVALID_ARGUMENT")

	_, err = n.Calls().JoinRoom(within(t), &imv1.JoinRoomRequest{UserId: "alice", RoomId: "nowhere"})
	refused(t, "join an unknown room", err, codes.NotFound, "ROOM_NOT_FOUND")
}

// TestGarbageOnThePort: whoever does not speak gRPC is turned away, and the node serves on.
func TestGarbageOnThePort(t *testing.T) {
	t.Parallel()
	n := Start(t, "session:\n  start_timeout: 5s\n")
	im := n.Calls()
	good := n.Connect(Hello{User: "good", Room: "room"})
	join(t, im, "room", "alice")
	good.Flush()
	for what, bytes := range map[string]string{
		"noise":       strings.Repeat("\x00\xff\x13garbage", 10_000),
		"http/1":      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"http/1 post": "POST /im.v1.IMService/SendMessage HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
		"tls":         "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"half":        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff",
	} {
		for _, addr := range []string{n.IM, n.Gateway, n.Ops} {
			throw(t, what, addr, bytes)
		}
	}
	silent, err := net.Dial("tcp", n.IM)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	// A stream that never says who opens it is closed in time.
	n.Begin(Hello{}).Disconnected("3005")

	say(t, im, "room", "alice", "still here")
	expect(t, "the neighbour", contents(good, 1), "still here")
	if !n.Ready() {
		t.Error("the node is not ready any more")
	}
	// One that connects and is silent is cut off after the handshake timeout.
	if err := silent.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, silent); err != nil && isTimeout(err) {
		t.Error("a silent connection stays open")
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// throw writes bytes to a port and hangs up.
func throw(t *testing.T, what, addr, data string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, data) // the node may hang up first
	if what == "half" {
		return // it would rightly wait for the rest
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn) // an answer in words, a reset, or silence: all are well
}

// TestCallersWhoGiveUp: a call that is canceled half way harms nobody.
func TestCallersWhoGiveUp(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*50)*time.Microsecond)
			defer cancel()
			_, _ = im.SendMessage(ctx, &imv1.SendMessageRequest{UserId: "alice", RoomId: "room", Type: text, Content: []byte("x")})
		})
	}
	wg.Wait()
	last := say(t, im, "room", "bob", "last").GetSeq()
	reader := n.Connect(Hello{User: "bob", Room: "room"})
	for seq := int64(1); seq < last; seq++ {
		if f := reader.Next(); f.GetSeq() != seq {
			t.Fatalf("seq %d, want %d", f.GetSeq(), seq)
		}
	}
}
