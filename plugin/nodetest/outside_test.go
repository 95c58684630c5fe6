package nodetest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/nodetest"
	"github.com/game-im/hermod/sdk/pluginserver"
)

// envFar has the test's program be a plugin instead.
const envFar = "HERMOD_TEST_FAR"

const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(envFar) != "" {
		pluginserver.Main(far{})
		return
	}
	os.Exit(m.Run())
}

// far is a plugin that runs as a process, and writes what it hears to its output, which the node has in its log.
type far struct{}

func (far) Name() string { return "far" }

// Authenticate knows whoever has a ticket with his name.
func (far) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	user, ok := strings.CutPrefix(c.Token, "ticket-of-")
	if !ok {
		return plugin.Identity{}, plugin.Unauthenticated("the ticket is not known")
	}
	return plugin.Identity{UserID: user, Expiry: time.Now().Add(time.Hour)}, nil
}

func (far) Authorize(_ context.Context, a plugin.Access) error {
	if a.RoomID == "closed" || a.Kind == plugin.Send && a.By == "mallory" {
		return plugin.PermissionDenied("not for %s", a.By)
	}
	return nil
}

func (far) ObserveSession(_ context.Context, e plugin.SessionEvent) error {
	fmt.Fprintf(os.Stdout, "heard:session:%s:%s\n", e.UserID, e.Kind)
	return nil
}

func (far) ObserveRefusal(_ context.Context, r plugin.Refusal) error {
	fmt.Fprintf(os.Stdout, "heard:refused:%s:%s:%s:%s\n", r.Plugin, r.Access.Kind, r.Access.By, r.Message.Content)
	return nil
}

func (far) NotifyOffline(_ context.Context, n plugin.Notification) error {
	fmt.Fprintf(os.Stdout, "heard:away:%s:%s\n", strings.Join(n.Users, "+"), n.Message.Content)
	return nil
}

func (far) Transcribe(ctx context.Context, a plugin.Audio) (plugin.Transcript, error) {
	r, err := a.Open(ctx)
	if err != nil {
		return plugin.Transcript{}, err
	}
	text := make([]byte, a.Size)
	if _, err := io.ReadFull(r, text); err != nil {
		return plugin.Transcript{}, err
	}
	return plugin.Transcript{Text: "heard " + string(text), Confidence: 0.5}, r.Close()
}

// node is a node with far as its process.
type node struct {
	*nodetest.Running
	t  *testing.T
	im imv1.IMServiceClient
}

func farNode(t *testing.T) node {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := nodetest.NodeWith(t, fmt.Sprintf(`
auth: {mode: far, service_token: %s}
audio: {transcriber: far}
room: {defaults: {auto_transcribe: true}}
session: {presence_grace: 0s, resume_window: 0s}
server: {quic: {addr: ""}, stop: {drain: 100ms}}
plugins: [{name: far, deadline: 30s, process: {command: [%s], env: {%s: "1"}}}]`, nodetest.ServiceToken, strconv.Quote(program), envFar))
	return node{n, t, imv1.NewIMServiceClient(n.Dial(n.IM))}
}

func (n node) as(user, ticket string) context.Context {
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	n.t.Cleanup(cancel)
	return nodetest.As(ctx, user, map[string]string{"authorization": "Bearer " + ticket})
}

// ticket is the context of a call by somebody who has one.
func (n node) ticket(user string) context.Context { return n.as(user, "ticket-of-"+user) }

func (n node) join(room, user string) error {
	_, err := n.im.JoinRoom(n.ticket(user), &imv1.JoinRoomRequest{RoomId: room})
	return err
}

func (n node) say(room, user, text string) error {
	_, err := n.im.SendMessage(n.ticket(user), &imv1.SendMessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text)})
	return err
}

// hears waits until the node's log has what the plugin has written.
func (n node) hears(what string) {
	n.t.Helper()
	for late := time.Now().Add(patience); !strings.Contains(n.Logs(), what); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			n.t.Fatalf("%s is not in\n%s", what, n.Logs())
		}
	}
}

// TestAuthenticatorOutsideOfANode lets in whom it knows, and nobody else.
func TestAuthenticatorOutsideOfANode(t *testing.T) {
	t.Parallel()
	n := farNode(t)
	if err := n.join("r", "alice"); err != nil {
		t.Errorf("with a ticket: %v", err)
	}
	for _, ticket := range []string{"forged", ""} {
		if _, err := n.im.JoinRoom(n.as("alice", ticket), &imv1.JoinRoomRequest{RoomId: "r"}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("with %q: %v", ticket, err)
		}
	}
	stream, err := n.im.StreamMessages(n.as("alice", "forged"))
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stream with a forged ticket: %v", err)
	}
}

// TestAuthorizerOutsideOfANode refuses joining and sending, with its reason, and as an observer of refusals hears of it.
func TestAuthorizerOutsideOfANode(t *testing.T) {
	t.Parallel()
	n := farNode(t)
	for _, user := range []string{"alice", "mallory"} {
		if err := n.join("r", user); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.say("r", "alice", "hi"); err != nil {
		t.Errorf("alice: %v", err)
	}
	for what, err := range map[string]error{"joining": n.join("closed", "mallory"), "sending": n.say("r", "mallory", "hi")} {
		if s := status.Convert(err); s.Code() != codes.PermissionDenied || s.Message() != "not for mallory" {
			t.Errorf("%s: %v", what, err)
		}
	}
	n.hears("heard:refused:far:" + plugin.Join.String() + ":mallory:")
	n.hears("heard:refused:far:" + plugin.Send.String() + ":mallory:hi")
}

// TestSessionObserverOutsideOfANode hears who connects and who goes.
func TestSessionObserverOutsideOfANode(t *testing.T) {
	t.Parallel()
	n := farNode(t)
	if err := n.join("r", "alice"); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(n.ticket("alice"))
	defer leave()
	stream, err := n.im.StreamMessages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	n.hears("heard:session:alice:" + plugin.Connected.String())
	leave()
	n.hears("heard:session:alice:" + plugin.Ended.String())
}

// TestOfflineNotifierOutsideOfANode hears what is said to somebody who is away, and not to somebody who is there.
func TestOfflineNotifierOutsideOfANode(t *testing.T) {
	t.Parallel()
	n := farNode(t)
	for _, user := range []string{"alice", "bob", "carol"} {
		if err := n.join("r", user); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := n.im.StreamMessages(n.ticket("carol"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	if err := n.say("r", "alice", "hello"); err != nil {
		t.Fatal(err)
	}
	n.hears("heard:away:bob:hello")
}

// TestTranscriberOutsideOfANode writes down what a client uploads.
func TestTranscriberOutsideOfANode(t *testing.T) {
	t.Parallel()
	n := farNode(t)
	if err := n.join("r", "alice"); err != nil {
		t.Fatal(err)
	}
	up, err := n.im.UploadAudio(n.ticket("alice"))
	if err != nil {
		t.Fatal(err)
	}
	const sound = "a song"
	for _, part := range []*imv1.UploadAudioRequest{
		{Data: &imv1.UploadAudioRequest_Metadata{Metadata: &imv1.AudioMetadata{RoomId: "r", Format: "opus", Size: int64(len(sound)), Duration: 1}}},
		{Data: &imv1.UploadAudioRequest_Chunk{Chunk: []byte(sound)}},
	} {
		if err := up.Send(part); err != nil {
			t.Fatal(err)
		}
	}
	done, err := up.CloseAndRecv()
	if err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got, err := n.im.GetAudioTranscript(n.ticket("alice"), &imv1.TranscriptRequest{AudioId: done.GetAudioId()})
		switch {
		case err != nil:
			t.Fatal(err)
		case got.GetTranscription().GetStatus() == imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED:
			if text := got.GetTranscription().GetText(); text != "heard "+sound {
				t.Errorf("got %q", text)
			}
			return
		case time.Now().After(late):
			t.Fatalf("it is %v\n%s", got, n.Logs())
		}
	}
}
