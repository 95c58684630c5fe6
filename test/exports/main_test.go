package exports

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m, "app/hermod/cmd/hermod")) }

// talk has ann join a room and say something there, and returns what is to be exported of that.
func talk(t *testing.T, node *process.Node) (events []string) {
	t.Helper()
	conn, err := grpc.NewClient(node.IM, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	im := imv1.NewIMServiceClient(conn)
	if _, err := im.JoinRoom(t.Context(), &imv1.JoinRoomRequest{RoomId: "hall", UserId: "ann"}); err != nil {
		t.Fatal(err)
	}
	events = append(events, "hall joined ann ")
	for i := range 100 {
		text := fmt.Sprint("text ", i)
		_, err := im.SendMessage(t.Context(), &imv1.SendMessageRequest{
			RoomId: "hall", UserId: "ann", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text),
		})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, "hall message ann "+text)
	}
	return events
}

// event is some of what is exported.
type event struct {
	Kind, Type, Text string
	UserID           string `json:"user_id"`
}

func decode(t *testing.T, data []byte) (v event) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("event %d is %q; want %q", i, got[i], want[i])
		}
	}
}
