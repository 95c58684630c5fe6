package hermodctl

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// roomServer answers calls with what a test gives it, and keeps what was asked; test/e2e has the commands against
// a node.
type roomServer struct {
	imv1.UnimplementedIMServiceServer
	imv1.UnimplementedRoomServiceServer
	gatewayv1.UnimplementedWebhookServiceServer

	mu      sync.Mutex
	answers map[string][]any // by the call's name, one after another: messages and errors
	asked   []proto.Message
	token   string
}

func (r *roomServer) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	r.token = strings.Join(md.Get("authorization"), ",")
	r.asked = append(r.asked, req.(proto.Message))
	name := info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:]
	if len(r.answers[name]) == 0 {
		return nil, status.Error(codes.Unimplemented, name)
	}
	answer := r.answers[name][0]
	r.answers[name] = r.answers[name][1:]
	if err, ok := answer.(error); ok {
		return nil, err
	}
	return answer, nil
}

func serveRooms(t *testing.T, answers map[string][]any) (addr string, r *roomServer) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r = &roomServer{answers: answers}
	server := grpc.NewServer(grpc.UnaryInterceptor(r.intercept))
	imv1.RegisterIMServiceServer(server, r)
	imv1.RegisterRoomServiceServer(server, r)
	gatewayv1.RegisterWebhookServiceServer(server, r)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String(), r
}

var (
	then = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	hall = &imv1.RoomInfo{
		RoomId: "hall", Name: "The\x1b[2J hall", UserCount: 3, MessageCount: 41, CreatedAt: timestamppb.New(then),
		Config: &imv1.RoomConfig{MaxUsers: 9, Persistent: true, AllowAudio: true, MessageTtlSeconds: 3600},
	}
	eve = &imv1.RoomUser{UserId: "eve", Nickname: "Evie", Role: imv1.UserRole_USER_ROLE_MODERATOR, Muted: true, JoinedAt: timestamppb.New(then)}
)

const (
	hallJSON = `{"room_id":"hall","kind":"room","name":"The\u001b[2J hall","description":"","members":3,"messages":41,"created_at":"2026-03-01T12:00:00Z",` +
		`"config":{"max_users":9,"persistent":true,"invite_only":false,"message_ttl_seconds":3600,"idle_timeout_seconds":0,"allow_audio":true,"allow_rich_text":false,"auto_transcribe":false}`
	eveJSON = `{"user_id":"eve","nickname":"Evie","role":"moderator","muted":true,"joined_at":"2026-03-01T12:00:00Z"}`
)

func TestRoomCommands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args    string
		answers map[string][]any
		asked   []string // prototext of the requests
		out     []string // in what is printed
	}{
		{"create hall --name Hall --as alice --nick Al --max-users 9 --message-ttl 1h --json",
			map[string][]any{"CreateRoom": {&imv1.CreateRoomResponse{RoomInfo: hall}}},
			[]string{`user_id:"alice" room_id:"hall" name:"Hall" nickname:"Al" config:{max_users:9 persistent:true message_ttl_seconds:3600 allow_audio:true allow_rich_text:true}`},
			[]string{hallJSON + "}\n"}},
		{"create --as al --description d", map[string][]any{"CreateRoom": {&imv1.CreateRoomResponse{RoomInfo: hall}}},
			[]string{`user_id:"al" description:"d"`}, []string{"room            hall\n", "name            The\ufffd[2J hall\n", "members         3 of 9\n", "keeps messages  1h0m0s\n", "rich text       no\n"}},
		{"show hall --as bob", map[string][]any{"GetRoomInfo": {&imv1.GetRoomInfoResponse{RoomInfo: hall}}},
			[]string{`user_id:"bob" room_id:"hall"`}, []string{"audio           yes\n"}},
		{"update hall --description= --allow-audio=false", map[string][]any{
			"GetRoomInfo": {&imv1.GetRoomInfoResponse{RoomInfo: hall}}, "UpdateRoom": {&imv1.UpdateRoomResponse{RoomInfo: hall}},
		}, []string{`room_id:"hall"`, `room_id:"hall" description:"" config:{max_users:9 persistent:true message_ttl_seconds:3600}`}, []string{"hall"}},
		{"delete hall --yes", map[string][]any{"DeleteRoom": {&imv1.DeleteRoomResponse{}}}, []string{`room_id:"hall"`}, []string{"hall is deleted\n"}},
		{"list alice", map[string][]any{"ListMyRooms": {
			&imv1.ListMyRoomsResponse{
				Rooms:         []*imv1.MyRoom{{RoomInfo: hall, State: &imv1.RoomState{Unread: 7, Mentions: 2}, Member: eve}},
				NextPageToken: "p2", Invitations: []*imv1.Invitation{{RoomId: "staff", RoomName: "Staff"}},
			},
			&imv1.ListMyRoomsResponse{Rooms: []*imv1.MyRoom{{RoomInfo: &imv1.RoomInfo{RoomId: "d1"}, PeerId: "bob"}}},
		}}, []string{`user_id:"alice" limit:200`, `user_id:"alice" limit:200 page_token:"p2"`},
			[]string{
				"ROOM   NAME          ROLE       MEMBERS  UNREAD  MENTIONS  LAST\n", "hall   The\ufffd[2J hall  moderator  3        7       2         -\n",
				"staff  Staff         invited    -        -       -         -\n", "d1     bob           -          0        0       0         -\n",
			}},
		{"list alice --json", map[string][]any{"ListMyRooms": {&imv1.ListMyRoomsResponse{
			Rooms: []*imv1.MyRoom{{RoomInfo: hall, State: &imv1.RoomState{Unread: 7, Mentions: 2, HeadSeq: 41}, Member: eve}},
		}}}, []string{`user_id:"alice" limit:200`}, []string{hallJSON + `,"unread":7,"mentions":2,"role":"moderator","last_seq":41}` + "\n"}},
		{"members hall --json", map[string][]any{"ListMembers": {&imv1.ListMembersResponse{Members: []*imv1.RoomUser{eve}, NextPageToken: "p2"}, &imv1.ListMembersResponse{Members: []*imv1.RoomUser{eve}}}},
			[]string{`room_id:"hall" limit:1000`, `room_id:"hall" limit:1000 page_token:"p2"`}, []string{eveJSON + "\n" + eveJSON + "\n"}},
		{"role hall eve moderator", map[string][]any{"SetRole": {&imv1.SetRoleResponse{Member: eve}}},
			[]string{`room_id:"hall" member_id:"eve" role:USER_ROLE_MODERATOR`}, []string{"USER  NICKNAME  ROLE       MUTED", "eve   Evie      moderator  until unmuted"}},
		{"mute hall eve --reason r --json", map[string][]any{"MuteMember": {&imv1.MuteMemberResponse{Member: eve}}},
			[]string{`room_id:"hall" member_id:"eve" reason:"r"`}, []string{eveJSON + "\n"}},
		{"unmute hall eve", map[string][]any{"UnmuteMember": {&imv1.UnmuteMemberResponse{Member: eve}}}, []string{`room_id:"hall" member_id:"eve"`}, []string{"eve"}},
		{"kick hall eve --as bob --reason r", map[string][]any{"KickMember": {&imv1.KickMemberResponse{}}},
			[]string{`user_id:"bob" room_id:"hall" member_id:"eve" reason:"r"`}, []string{"eve is no member of hall any more\n"}},
		{"ban hall eve", map[string][]any{"BanUser": {&imv1.BanUserResponse{}}}, []string{`room_id:"hall" member_id:"eve"`}, []string{"eve is kept out of hall\n"}},
		{"unban hall eve", map[string][]any{"UnbanUser": {&imv1.UnbanUserResponse{}}}, []string{`room_id:"hall" member_id:"eve"`}, []string{"eve may join hall again\n"}},
		{"ban hall 👩\u200d👧می\u200cخواهم\u202e", map[string][]any{"BanUser": {&imv1.BanUserResponse{}}},
			[]string{`room_id:"hall" member_id:"👩\u200d👧می\u200cخواهم\u202e"`}, []string{"👩\u200d👧می\u200cخواهم\ufffd is kept out of hall\n"}},
		{"bans hall", map[string][]any{"ListBans": {&imv1.ListBansResponse{Bans: []*imv1.Ban{{UserId: "eve", BannedBy: "bob", Reason: "spam"}}}}},
			[]string{`room_id:"hall" limit:1000`}, []string{"USER  BY   SINCE  UNTIL     REASON\n", "eve   bob  -      unbanned  spam\n"}},
		{"invite hall eve", map[string][]any{"InviteUser": {&imv1.InviteUserResponse{}}}, []string{`room_id:"hall" member_id:"eve"`}, []string{"eve is invited to hall\n"}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			addr, r := serveRooms(t, tt.answers)
			got := execute(t, "", append([]string{"room"}, append(strings.Fields(tt.args), "--addr", addr, "--token", "s3cret")...)...)
			if got.code != exitOK || got.err != "" {
				t.Errorf("exit code %d, %s", got.code, got.err)
			}
			for _, want := range tt.out {
				if !strings.Contains(got.out, want) {
					t.Errorf("no %q in\n%s", want, got.out)
				}
			}
			if r.token != "Bearer s3cret" || len(r.asked) != len(tt.asked) {
				t.Fatalf("asked with the token %q: %v", r.token, r.asked)
			}
			for i, text := range tt.asked {
				want := r.asked[i].ProtoReflect().New().Interface()
				if err := prototext.Unmarshal([]byte(text), want); err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(r.asked[i], want) {
					t.Errorf("asked %v, want %v", r.asked[i], want)
				}
			}
		})
	}
}

// TestEmptyLists: people are told that nothing is in a list; what a program reads is empty, and one that fails says nothing of it.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, call string
		answer     any
		said       string
	}{
		{"room list eve", "ListMyRooms", &imv1.ListMyRoomsResponse{}, "eve is in no room\n"},
		{"room members hall", "ListMembers", &imv1.ListMembersResponse{}, "nobody is in hall\n"},
		{"room bans hall", "ListBans", &imv1.ListBansResponse{}, "nobody is kept out of hall\n"},
		{"webhooks list", "ListWebhooks", &gatewayv1.ListWebhooksResponse{}, "no webhook has delivered anything yet\n"},
		{"webhooks dead orders", "ListDeadLetters", &gatewayv1.ListDeadLettersResponse{}, "orders has given up nothing\n"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			addr, _ := serveRooms(t, map[string][]any{tt.call: {tt.answer, tt.answer, status.Error(codes.Unavailable, "later")}})
			args := append(strings.Fields(tt.args), "--addr", addr)
			if got := execute(t, "", args...); got.code != exitOK || got.out != "" || got.err != tt.said {
				t.Errorf("exit code %d, printed %q, said %q", got.code, got.out, got.err)
			}
			if got := execute(t, "", append(args, "--json")...); got.code != exitOK || got.out != "" || got.err != "" {
				t.Errorf("--json: exit code %d, printed %q, said %q", got.code, got.out, got.err)
			}
			if got := execute(t, "", args...); got.code == exitOK || strings.Contains(got.err, tt.said) {
				t.Errorf("a call that fails: exit code %d, said %q", got.code, got.err)
			}
		})
	}
}

// TestRoomSentencesEnd: --for is counted from now.
func TestRoomSentencesEnd(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"mute", "ban"} {
		addr, r := serveRooms(t, map[string][]any{"MuteMember": {&imv1.MuteMemberResponse{Member: eve}}, "BanUser": {&imv1.BanUserResponse{}}})
		before := time.Now()
		if got := execute(t, "", "room", command, "hall", "eve", "--for", "10m", "--addr", addr); got.code != exitOK {
			t.Errorf("%s: %+v", command, got)
		}
		until := r.asked[0].(interface{ GetUntil() *timestamppb.Timestamp }).GetUntil().AsTime()
		if least := before.Add(10 * time.Minute); until.Before(least) || until.After(time.Now().Add(10*time.Minute)) {
			t.Errorf("%s ends at %s, not 10 minutes after %s", command, until, before)
		}
	}
}

// TestRoomFailures: what the node says, with what came before, and exit code 1.
func TestRoomFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, out, err string
		answers        map[string][]any
	}{
		{"kick hall eve", "", "hermodctl room kick: a user may not kick (ROLE_TOO_LOW)\n",
			map[string][]any{"KickMember": {&imv1.KickMemberResponse{Status: &imv1.ResponseStatus{Code: 7, Message: "a user may not kick", Details: map[string]string{"reason": "ROLE_TOO_LOW"}}}}}},
		{"kick hall eve", "", "no such room (NotFound)\n", map[string][]any{"KickMember": {status.Error(codes.NotFound, "no such room")}}},
		{"kick hall eve", "", "is too old for it", nil},
		{"members hall", "eve   Evie", "no node answers at", map[string][]any{"ListMembers": {
			&imv1.ListMembersResponse{Members: []*imv1.RoomUser{eve}, NextPageToken: "p2"}, status.Error(codes.Unavailable, "restarting"),
		}}},
	} {
		addr, _ := serveRooms(t, tt.answers)
		got := execute(t, "", append(append([]string{"room"}, strings.Fields(tt.args)...), "--addr", addr)...)
		if got.code != exitFailed || !strings.Contains(got.err, tt.err) || !strings.Contains(got.out, tt.out) {
			t.Errorf("%s: exit code %d, out %q, err %q; want %q and %q", tt.args, got.code, got.out, got.err, tt.out, tt.err)
		}
	}
}
