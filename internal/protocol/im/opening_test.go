package im_test

import (
	"maps"
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/im"
)

func from(md map[string]string) func(string) string {
	return func(key string) string { return md[key] }
}

func TestReadOpening(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		md   map[string]string
		want im.Opening
	}{
		{"nothing", nil, im.Opening{}},
		{"everything", map[string]string{
			"room-id": "r", "session-id": "s", "resume-ticket": "t", "last-link-seq": "18446744073709551615",
			"capabilities": "ack,resume,batch,rooms",
		}, im.Opening{Room: "r", Session: "s", Ticket: "t", LastLink: 1<<64 - 1, Ack: true, Resume: true, Batch: true, Rooms: true}},
		{"events", map[string]string{"capabilities": "events"}, im.Opening{Events: true}},
		{"blanks between capabilities", map[string]string{"capabilities": " ack , batch"}, im.Opening{Ack: true, Batch: true}},
		{"capabilities of a newer client", map[string]string{"capabilities": "teleport,,resume"}, im.Opening{Resume: true}},
		{"capabilities are case sensitive", map[string]string{"capabilities": "ACK"}, im.Opening{}},
		{"nothing received", map[string]string{"last-link-seq": "0"}, im.Opening{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := im.ReadOpening(biz.Identity{User: "alice", GID: 7}, from(test.md))
			if err != nil {
				t.Fatal(err)
			}
			if got.Identity.User != "alice" || got.Identity.GID != 7 {
				t.Errorf("identity %+v", got.Identity)
			}
			got.Identity = biz.Identity{}
			if o, w := flat(got), flat(test.want); !maps.Equal(o, w) {
				t.Errorf("got %v, want %v", o, w)
			}
		})
	}
}

// flat makes an opening comparable; its Identity is not looked at.
func flat(o im.Opening) map[string]any {
	return map[string]any{
		"room": o.Room, "session": o.Session, "ticket": o.Ticket, "last": o.LastLink,
		"ack": o.Ack, "resume": o.Resume, "batch": o.Batch, "rooms": o.Rooms,
	}
}

func TestReadOpeningRefuses(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"-1", "x", "1.5", "18446744073709551616", " 1", "0x1"} {
		_, err := im.ReadOpening(biz.Identity{}, from(map[string]string{"last-link-seq": last}))
		if err == nil || biz.AsError(err).Reason != "INVALID_ARGUMENT" {
			t.Errorf("last-link-seq %q: %v", last, err)
		}
	}
}

// FuzzReadHello reads whatever may come as the first frame of a connection without headers.
func FuzzReadHello(f *testing.F) {
	for _, hello := range []*imv1.MessageRequest{
		{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: map[string]string{"user-id": "alice", "last-link-seq": "7"}},
		{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT},
		{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("x")},
	} {
		data, err := proto.Marshal(hello)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0x20, 0x08, 0x32, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		get, err := im.ReadHello(im.Proto, data)
		if (get == nil) != (err != nil) {
			t.Fatalf("%x: both, or neither: %v", data, err)
		}
		if err != nil {
			if k := biz.KindOf(err); k != biz.KindInvalid {
				t.Fatalf("%x: %v is of kind %v", data, err, k)
			}
			return
		}
		m := &imv1.MessageRequest{}
		if err := proto.Unmarshal(data, m); err != nil || m.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT || get("user-id") != m.GetMetadata()["user-id"] {
			t.Fatalf("%x is read as %v, %v; the user is %q", data, m, err, get("user-id"))
		}
	})
}

func FuzzReadOpening(f *testing.F) {
	f.Add("r", "s", "t", "1", "ack,resume")
	f.Add("", "", "", "", ",")
	f.Fuzz(func(t *testing.T, room, session, ticket, last, capabilities string) {
		o, err := im.ReadOpening(biz.Identity{}, from(map[string]string{
			"room-id": room, "session-id": session, "resume-ticket": ticket, "last-link-seq": last, "capabilities": capabilities,
		}))
		if err != nil && biz.KindOf(err) != biz.KindInvalid {
			t.Errorf("not the client's fault: %v", err)
		}
		if err == nil && (string(o.Room) != room || o.Session != session || o.Ticket != ticket) {
			t.Errorf("read as %+v", o)
		}
	})
}

func TestWelcomeHeaders(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		w    im.Welcome
		want map[string]string
	}{
		"new": {
			im.Welcome{Session: "s", Heartbeat: 30},
			map[string]string{"session-id": "s", "resumed": "false", "heartbeat-seconds": "30"},
		},
		"resumed": {
			im.Welcome{Session: "s", Ticket: "t", Resumed: true, Heartbeat: 5},
			map[string]string{"session-id": "s", "resumed": "true", "heartbeat-seconds": "5", "resume-ticket": "t"},
		},
		"limited": {
			im.Welcome{Session: "s", Heartbeat: 30, SendsPerSecond: 1000, SendBurst: 2000},
			map[string]string{"session-id": "s", "resumed": "false", "heartbeat-seconds": "30", "sends-per-second": "1000", "send-burst": "2000"},
		},
	} {
		if got := test.w.Headers(); !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
