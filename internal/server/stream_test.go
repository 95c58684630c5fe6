package server_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func open(t *testing.T, b *bench, user string, pairs ...string) imv1.IMService_StreamMessagesClient {
	t.Helper()
	stream, err := imv1.NewIMServiceClient(b.im).StreamMessages(as(t, user, pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// exchange sends a heartbeat and waits for its answer.
func exchange(t *testing.T, stream imv1.IMService_StreamMessagesClient) {
	t.Helper()
	if err := stream.Send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Content: []byte("ping")}); err != nil {
		t.Fatal(err)
	}
	m, err := stream.Recv()
	if err != nil || m.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT || string(m.GetContent()) != "ping" {
		t.Fatalf("got %v, %v", m, err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	stream := open(t, b, "alice", "room-id", "r", "capabilities", "resume")
	header, err := stream.Header()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"resumed": "false", "heartbeat-seconds": "30", "session-id": "", "resume-ticket": ""} {
		got := header.Get(key)
		if len(got) != 1 || got[0] == "" || want != "" && got[0] != want {
			t.Errorf("header %s: %q, want %q", key, got, want)
		}
	}
	exchange(t, stream)
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, %v", m, err)
	}
}

func TestStreamRefusals(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	for name, test := range map[string]struct {
		user   string
		pairs  []string
		code   codes.Code
		reason string
	}{
		"a bad token":       {"refused", nil, codes.Unauthenticated, "UNAUTHENTICATED"},
		"a bad number":      {"alice", []string{"last-link-seq", "x"}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"a room without id": {"alice", []string{"room-id", strings.Repeat("x", 256)}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"too long a name":   {strings.Repeat("x", 256), nil, codes.InvalidArgument, "INVALID_ARGUMENT"},
	} {
		_, err := open(t, b, test.user, test.pairs...).Recv()
		t.Run(name, func(t *testing.T) { wantRefused(t, err, test.code, test.reason) })
	}
	exchange(t, open(t, b, "alice"))
}

// TestNobodyIsTakenInWithoutServing: whoever was just asked to come back elsewhere would be back
// here.
func TestNobodyIsTakenInWithoutServing(t *testing.T) {
	t.Parallel()
	b := start(t)
	_, err := open(t, b, "alice").Recv()
	wantRefused(t, err, codes.Unavailable, "NOT_SERVING")
	b.ready.SetServing(true)
	stream := open(t, b, "alice")
	exchange(t, stream)
	b.ready.SetServing(false)
	_, err = open(t, b, "bob").Recv()
	wantRefused(t, err, codes.Unavailable, "NOT_SERVING")
	exchange(t, stream) // who is in, stays until he is asked to go
	if n := b.metric(t, "hermod_rpc_refusals_total", "NOT_SERVING"); n != 2 {
		t.Errorf("%v refusals counted, want 2", n)
	}
}

func TestPanicsAreRefusals(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	neighbour := open(t, b, "alice")
	exchange(t, neighbour)
	for range 3 {
		_, err := open(t, b, "panic").Recv()
		wantInternal(t, err)
		_, err = imv1.NewIMServiceClient(b.im).JoinRoom(as(t, "panic"), &imv1.JoinRoomRequest{RoomId: "r"})
		wantInternal(t, err)
	}
	exchange(t, neighbour)
	if !strings.Contains(b.log.String(), "a secret of the process") {
		t.Error("the panic is not in the log")
	}
}

// wantInternal fails unless err is a fault of ours that gives nothing away.
func wantInternal(t *testing.T, err error) {
	t.Helper()
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
