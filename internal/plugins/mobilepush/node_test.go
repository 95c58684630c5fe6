package mobilepush_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin/nodetest"
)

// shown finds the configuration in the document.
var shown = regexp.MustCompile("(?s)```yaml\n(plugins:\n.*?)```\n")

// documented returns what docs/mobile-push.md configures, with addresses and files of this test.
func (s *scene) documented() string {
	s.t.Helper()
	text, err := os.ReadFile("../../../docs/mobile-push.md")
	if err != nil {
		s.t.Fatal(err)
	}
	blocks := shown.FindAllSubmatch(text, -1)
	if len(blocks) != 1 {
		s.t.Fatalf("the document has %d configurations; 1 is run here", len(blocks))
	}
	yaml := string(blocks[0][1])
	for _, r := range [][2]string{
		{"https://example.com/devices", s.team.server.URL + "/devices"},
		{"a secret of 16 bytes or more", devicesToken},
		{"service-account.json", fmt.Sprintf("%s\n        url: %s\n        token_url: %s/token", s.google.file(), s.google.server.URL, s.google.server.URL)},
		{"AuthKey_ABCDE12345.p8", fmt.Sprintf("%s\n        url: %s\n        ca_file: %s", s.apple.file(), s.apple.server.URL, s.apple.ca)},
	} {
		if !strings.Contains(yaml, r[0]) {
			s.t.Fatalf("the document does not configure %s", r[0])
		}
		yaml = strings.Replace(yaml, r[0], r[1], 1)
	}
	return yaml
}

// TestNodeNotifies: who has no session is told of a message and of a push, once on each device; who is connected, and
// who said it himself, is not.
func TestNodeNotifies(t *testing.T) {
	t.Parallel()
	s := &scene{t: t, google: startGoogle(t), apple: startApple(t), team: startTeam(t)}
	s.team.has("bob", android("fcm-bob"), iphone("0b0b"))
	s.team.has("carl", android("fcm-carl"), iphone("ca"))
	s.team.has("ann", android("fcm-ann"), iphone("aa"))
	n := nodetest.NodeWith(t, s.documented())
	im := imv1.NewIMServiceClient(n.Dial(n.IM))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, user := range []string{"ann", "bob", "carl"} {
		if _, err := im.JoinRoom(nodetest.As(ctx, user, nil), &imv1.JoinRoomRequest{RoomId: "hall"}); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := im.StreamMessages(metadata.AppendToOutgoingContext(nodetest.As(ctx, "carl", nil), "room-id", "hall"))
	if err == nil {
		_, err = stream.Header() // he is there
	}
	if err != nil {
		t.Fatal(err)
	}
	sent, err := im.SendMessage(nodetest.As(ctx, "ann", nil), &imv1.SendMessageRequest{RoomId: "hall", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("a secret")})
	if err != nil {
		t.Fatal(err)
	}
	await(t, s.google.more)
	await(t, s.apple.more)
	got := s.google.all()[0]
	if data := got.body["data"].(map[string]any); got.token != "fcm-bob" || data["room_id"] != "hall" || data["message_id"] != sent.GetMessageId() || data["seq"] == "0" {
		t.Errorf("FCM is sent %s", got.raw)
	}
	s.pushTo(n, "bob")
	await(t, s.google.more)
	await(t, s.apple.more)
	n.Stop() // which waits for what is under way
	for _, r := range append(s.google.all(), s.apple.all()...) {
		if r.token != "fcm-bob" && r.token != "0b0b" || strings.Contains(string(r.raw), "secret") {
			t.Errorf("sent to %s: %s", r.token, r.raw)
		}
	}
	if fcm, apns := len(s.google.all()), len(s.apple.all()); fcm != 2 || apns != 2 {
		t.Errorf("%d requests to FCM and %d to APNs; want 2 and 2: of a message and of a push", fcm, apns)
	}
}

// pushTo pushes what is kept for who is away.
func (s *scene) pushTo(n *nodetest.Running, user string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "offline", "store")
	_, err := gatewayv1.NewGatewayServiceClient(n.Service()).PushToClient(ctx, &gatewayv1.UnicastPushRequest{
		TargetType: "openid", TargetId: user, MsgType: "mail", Title: "You have mail, a secret",
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
