package client

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// aCall is one method of Client that asks the server something.
type aCall struct {
	name  string // of the call on the wire
	do    func(ctx context.Context, c *Client) (any, error)
	asked string        // the request, as prototext
	says  proto.Message // the answer, without a status
	want  any           // of it
}

var (
	moon   = time.Unix(1_800_000_000, 0)
	moonAs = "{seconds:1800000000}"
)

func theCalls() []aCall {
	eve := &imv1.RoomUser{UserId: "eve", Muted: true}
	hall := &imv1.RoomInfo{RoomId: "hall", Name: "Hall"}
	state := &imv1.MessageState{Version: 3}
	name := "Hall"
	nothing := func(err error) (any, error) { return nil, err }
	return []aCall{
		{"RoomService/CreateRoom", func(ctx context.Context, c *Client) (any, error) {
			return c.CreateRoom(ctx, NewRoom{ID: "hall", Name: "Hall", Description: "d", Config: &imv1.RoomConfig{Persistent: true}, Nickname: "Al"})
		}, `user_id:"alice" room_id:"hall" name:"Hall" description:"d" config:{persistent:true} nickname:"Al"`, &imv1.CreateRoomResponse{RoomInfo: hall}, hall},
		{"RoomService/UpdateRoom", func(ctx context.Context, c *Client) (any, error) {
			return c.UpdateRoom(ctx, "hall", RoomUpdate{Name: &name})
		}, `user_id:"alice" room_id:"hall" name:"Hall"`, &imv1.UpdateRoomResponse{RoomInfo: hall}, hall},
		{"RoomService/DeleteRoom", func(ctx context.Context, c *Client) (any, error) { return nothing(c.DeleteRoom(ctx, "hall")) },
			`user_id:"alice" room_id:"hall"`, &imv1.DeleteRoomResponse{}, nil},
		{"RoomService/SetRole", func(ctx context.Context, c *Client) (any, error) {
			return c.SetRole(ctx, "hall", "eve", imv1.UserRole_USER_ROLE_MODERATOR)
		}, `user_id:"alice" room_id:"hall" member_id:"eve" role:USER_ROLE_MODERATOR`, &imv1.SetRoleResponse{Member: eve}, eve},
		{"RoomService/MuteMember", func(ctx context.Context, c *Client) (any, error) { return c.MuteMember(ctx, "hall", "eve", moon, "r") },
			`user_id:"alice" room_id:"hall" member_id:"eve" until:` + moonAs + ` reason:"r"`, &imv1.MuteMemberResponse{Member: eve}, eve},
		{"RoomService/UnmuteMember", func(ctx context.Context, c *Client) (any, error) { return c.UnmuteMember(ctx, "hall", "eve") },
			`user_id:"alice" room_id:"hall" member_id:"eve"`, &imv1.UnmuteMemberResponse{Member: eve}, eve},
		{"RoomService/KickMember", func(ctx context.Context, c *Client) (any, error) {
			return nothing(c.KickMember(ctx, "hall", "eve", "r"))
		},
			`user_id:"alice" room_id:"hall" member_id:"eve" reason:"r"`, &imv1.KickMemberResponse{}, nil},
		{"RoomService/BanUser", func(ctx context.Context, c *Client) (any, error) {
			return nothing(c.BanUser(ctx, "hall", "eve", time.Time{}, "r"))
		}, `user_id:"alice" room_id:"hall" member_id:"eve" reason:"r"`, &imv1.BanUserResponse{}, nil},
		{"RoomService/UnbanUser", func(ctx context.Context, c *Client) (any, error) { return nothing(c.UnbanUser(ctx, "hall", "eve")) },
			`user_id:"alice" room_id:"hall" member_id:"eve"`, &imv1.UnbanUserResponse{}, nil},
		{"RoomService/InviteUser", func(ctx context.Context, c *Client) (any, error) { return nothing(c.InviteUser(ctx, "hall", "eve")) },
			`user_id:"alice" room_id:"hall" member_id:"eve"`, &imv1.InviteUserResponse{}, nil},
		{"IMService/EditMessage", func(ctx context.Context, c *Client) (any, error) {
			return c.EditMessage(ctx, "hall", 7, Edit{Content: []byte("x"), Metadata: map[string]string{"k": "v"}, Mentions: []string{"eve"}, IfVersion: 2, MessageID: "m"})
		}, `user_id:"alice" room_id:"hall" seq:7 content:"x" metadata:{key:"k" value:"v"} mentions:"eve" message_id:"m" if_version:2`,
			&imv1.EditMessageResponse{Seq: 9, State: state}, &imv1.EditMessageResponse{Seq: 9, State: state}},
		{"IMService/RecallMessage", func(ctx context.Context, c *Client) (any, error) { return c.RecallMessage(ctx, "hall", 7, "r") },
			`user_id:"alice" room_id:"hall" seq:7 reason:"r"`, &imv1.RecallMessageResponse{Seq: 9, State: state}, &imv1.RecallMessageResponse{Seq: 9, State: state}},
		{"IMService/React", func(ctx context.Context, c *Client) (any, error) { return c.React(ctx, "hall", 7, "+1") },
			`user_id:"alice" room_id:"hall" seq:7 reaction:"+1"`, &imv1.ReactResponse{Seq: 9, State: state}, &imv1.ReactResponse{Seq: 9, State: state}},
		{"IMService/React", func(ctx context.Context, c *Client) (any, error) { return c.Unreact(ctx, "hall", 7, "+1") },
			`user_id:"alice" room_id:"hall" seq:7 reaction:"+1" remove:true`, &imv1.ReactResponse{}, &imv1.ReactResponse{}},
		{"IMService/SendEphemeral", func(ctx context.Context, c *Client) (any, error) {
			return nothing(c.SendEphemeral(ctx, "hall", "look", map[string]string{"at": "me"}))
		}, `user_id:"alice" room_id:"hall" content:{kind:"look" data:{key:"at" value:"me"}}`, &imv1.SendEphemeralResponse{}, nil},
		{"IMService/SendEphemeral", func(ctx context.Context, c *Client) (any, error) { return nothing(c.Typing(ctx, "hall")) },
			`user_id:"alice" room_id:"hall" content:{kind:"typing"}`, &imv1.SendEphemeralResponse{}, nil},
		{"IMService/GetPresence", func(ctx context.Context, c *Client) (any, error) {
			users, err := c.Presence(ctx, "bob", "eve")
			return &imv1.GetPresenceResponse{Users: users}, err
		}, `user_id:"alice" user_ids:"bob" user_ids:"eve"`, &imv1.GetPresenceResponse{Users: []*imv1.UserPresence{{UserId: "bob", State: 1}}},
			&imv1.GetPresenceResponse{Users: []*imv1.UserPresence{{UserId: "bob", State: 1}}}},
		{"IMService/GetAudioURL", func(ctx context.Context, c *Client) (any, error) { return c.AudioURL(ctx, "a1", 1500*time.Millisecond) },
			`user_id:"alice" audio_id:"a1" valid_seconds:2`, &imv1.GetAudioURLResponse{Url: "u"}, &imv1.GetAudioURLResponse{Url: "u"}},
	}
}

// parsed reads a request of the kind that another one is.
func parsed(t *testing.T, kind proto.Message, text string) proto.Message {
	t.Helper()
	m := kind.ProtoReflect().New().Interface()
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// withStatus returns an answer with a status.
func withStatus(m proto.Message, s *imv1.ResponseStatus) proto.Message {
	m = proto.Clone(m)
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName("status"), protoreflect.ValueOfMessage(s.ProtoReflect()))
	return m
}

// TestCallsAsk: every call asks what it is given, in the name of the user, and returns what is answered.
func TestCallsAsk(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	for _, call := range theCalls() {
		var got proto.Message
		p.onCall(func(method string, req proto.Message) (proto.Message, error) {
			if !strings.HasSuffix(method, call.name) {
				t.Errorf("%s: called %s", call.name, method)
			}
			got = req
			return withStatus(call.says, &imv1.ResponseStatus{}), nil
		})
		answer, err := call.do(t.Context(), c)
		if err != nil {
			t.Errorf("%s: %v", call.name, err)
			continue
		}
		if want := parsed(t, got, call.asked); !proto.Equal(got, want) {
			t.Errorf("%s asked %v, want %v", call.name, got, want)
		}
		if want, ok := call.want.(proto.Message); ok {
			answered := proto.Clone(answer.(proto.Message))
			if f := answered.ProtoReflect().Descriptor().Fields().ByName("status"); f != nil {
				answered.ProtoReflect().Clear(f)
			}
			if !proto.Equal(answered, want) {
				t.Errorf("%s returned %v, want %v", call.name, answered, want)
			}
		}
	}
}

// TestCallsAreRefused: a refusal in the status is an error with the reason, and nothing else is returned.
func TestCallsAreRefused(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	for _, call := range theCalls() {
		p.onCall(func(string, proto.Message) (proto.Message, error) {
			return withStatus(call.says, &imv1.ResponseStatus{Code: 7, Message: "no", Details: map[string]string{"reason": "ROLE_TOO_LOW"}}), nil
		})
		_, err := call.do(t.Context(), c)
		if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Reason != "ROLE_TOO_LOW" || refused.Message != "no" {
			t.Errorf("%s: %v", call.name, err)
		}
	}
}

// TestCallsOfRoomsThatAServerIsTooOldFor, or that there is no connection for.
func TestCallsOfRoomsThatAServerIsTooOldFor(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	calls := append(theCalls(), theWalks()...)
	for _, call := range calls {
		if _, err := call.do(t.Context(), c); !errors.Is(err, ErrUnsupported) || status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", call.name, err)
		}
	}
	p.disconnect(t, c)
	for _, call := range calls {
		if _, err := call.do(t.Context(), c); !errors.Is(err, ErrNotConnected) {
			t.Errorf("%s without a connection: %v", call.name, err)
		}
	}
	if err := c.WatchPresence(t.Context(), nil, nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("WatchPresence without a connection: %v", err)
	}
}

// items are those of a walk, as the fields by which a test knows them.
func items[T any](all iter.Seq2[T, error], name func(T) string) (any, error) {
	var names []string
	for item, err := range all {
		if err != nil {
			return strings.Join(names, " "), err
		}
		names = append(names, name(item))
	}
	return strings.Join(names, " "), nil
}

// theWalks go through two pages. What they ask is that for the second one.
func theWalks() []aCall {
	o := PageOptions{Limit: 2}
	return []aCall{
		{"RoomService/ListMyRooms", func(ctx context.Context, c *Client) (any, error) {
			return items(c.MyRooms(ctx, o), func(r *imv1.MyRoom) string { return r.GetRoomInfo().GetRoomId() })
		}, `user_id:"alice" limit:2 page_token:"more"`, &imv1.ListMyRoomsResponse{Rooms: []*imv1.MyRoom{{RoomInfo: &imv1.RoomInfo{RoomId: "a"}}, {RoomInfo: &imv1.RoomInfo{RoomId: "b"}}}}, "a b a b"},
		{"RoomService/ListMembers", func(ctx context.Context, c *Client) (any, error) {
			return items(c.Members(ctx, "hall", o), (*imv1.RoomUser).GetUserId)
		}, `user_id:"alice" room_id:"hall" limit:2 page_token:"more"`, &imv1.ListMembersResponse{Members: []*imv1.RoomUser{{UserId: "a"}, {UserId: "b"}}}, "a b a b"},
		{"RoomService/ListBans", func(ctx context.Context, c *Client) (any, error) {
			return items(c.Bans(ctx, "hall", o), (*imv1.Ban).GetUserId)
		}, `user_id:"alice" room_id:"hall" limit:2 page_token:"more"`, &imv1.ListBansResponse{Bans: []*imv1.Ban{{UserId: "a"}}}, "a a"},
		{"IMService/ListReactions", func(ctx context.Context, c *Client) (any, error) {
			return items(c.Reactions(ctx, "hall", 7, o), (*imv1.UserReaction).GetReaction)
		}, `user_id:"alice" room_id:"hall" seq:7 limit:2 page_token:"more"`, &imv1.ListReactionsResponse{Reactions: []*imv1.UserReaction{{Reaction: "+1"}}}, "+1 +1"},
		{"IMService/ListReaders", func(ctx context.Context, c *Client) (any, error) {
			return items(c.Readers(ctx, "hall", 7, o), (*imv1.Watermark).GetUserId)
		}, `user_id:"alice" room_id:"hall" seq:7 limit:2 page_token:"more"`, &imv1.ListReadersResponse{Members: []*imv1.Watermark{{UserId: "a"}}}, "a a"},
		{"IMService/Search", func(ctx context.Context, c *Client) (any, error) {
			q := SearchQuery{Text: "x y", RoomIDs: []string{"hall"}, FromUserIDs: []string{"bob"}, Since: moon, Until: moon, PageOptions: o}
			return items(c.Search(ctx, q), (*imv1.MessageResponse).GetMessageId)
		}, `user_id:"alice" query:"x y" room_ids:"hall" from_user_ids:"bob" since:` + moonAs + ` until:` + moonAs + ` limit:2 page_token:"more"`,
			&imv1.SearchResponse{Messages: []*imv1.MessageResponse{{MessageId: "m"}}}, "m m"},
	}
}

// TestWalks: lists are fetched page by page, and an error ends them after what came before.
func TestWalks(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	for _, call := range theWalks() {
		var second proto.Message
		away := false
		p.onCall(func(_ string, req proto.Message) (proto.Message, error) {
			resp := withStatus(call.says, &imv1.ResponseStatus{})
			r := req.ProtoReflect()
			if r.Get(r.Descriptor().Fields().ByName("page_token")).String() == "" {
				f := resp.ProtoReflect().Descriptor().Fields().ByName("next_page_token")
				resp.ProtoReflect().Set(f, protoreflect.ValueOfString("more"))
				return resp, nil
			}
			if away {
				return nil, status.Error(codes.Unavailable, "restarting")
			}
			second = req
			return resp, nil
		})
		got, err := call.do(t.Context(), c)
		if err != nil || got != call.want {
			t.Errorf("%s: %v, %v; want %v", call.name, got, err, call.want)
		}
		if want := parsed(t, second, call.asked); !proto.Equal(second, want) {
			t.Errorf("%s asked %v, want %v", call.name, second, want)
		}
		away = true
		got, err = call.do(t.Context(), c)
		if half := call.want.(string)[:len(call.want.(string))/2]; status.Code(err) != codes.Unavailable || got != half {
			t.Errorf("%s, broken off: %v, %v", call.name, got, err)
		}
	}
}

// TestWhatIsNotValidIsLeftOut of what is searched, and of the last messages of rooms.
func TestWhatIsNotValidIsLeftOut(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.Validate = func(m *imv1.MessageResponse) error {
		if m.GetMessageId() == "bad" {
			return errors.New("bad")
		}
		return nil
	}
	c, _ := p.connect(t, cfg)
	good, bad := &imv1.MessageResponse{MessageId: "good"}, &imv1.MessageResponse{MessageId: "bad"}
	p.onCall(func(method string, _ proto.Message) (proto.Message, error) {
		if strings.HasSuffix(method, "Search") {
			return &imv1.SearchResponse{Messages: []*imv1.MessageResponse{bad, good}}, nil
		}
		return &imv1.ListMyRoomsResponse{Rooms: []*imv1.MyRoom{{LastMessage: good}, {LastMessage: bad}, {}}}, nil
	})
	found, err := c.SearchPage(t.Context(), SearchQuery{Text: "x"})
	if err != nil || len(found.GetMessages()) != 1 || found.GetMessages()[0].GetMessageId() != "good" {
		t.Errorf("found %v, %v", found, err)
	}
	rooms, err := c.ListMyRooms(t.Context(), PageOptions{})
	if err != nil || rooms.GetRooms()[0].GetLastMessage() == nil || rooms.GetRooms()[1].GetLastMessage() != nil {
		t.Errorf("rooms %v, %v", rooms, err)
	}
	for range 2 {
		if _, ok := errors.AsType[*InvalidMessageError](wait(t, ev.errors, "an error")); !ok {
			t.Error("another error than that a message is not valid")
		}
	}
}

// TestLentConnections need the stub of RoomService beside that of IMService.
func TestLentConnections(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	conn, err := grpc.NewClient("passthrough:///peer", append(cfg.DialOptions, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p.onCall(func(string, proto.Message) (proto.Message, error) { return &imv1.KickMemberResponse{}, nil })
	for _, rooms := range []imv1.RoomServiceClient{nil, imv1.NewRoomServiceClient(conn)} {
		c, err := NewClientWithGRPCAndConfig(imv1.NewIMServiceClient(conn), &Config{UserID: "alice", RoomService: rooms})
		if err != nil {
			t.Fatal(err)
		}
		connected := make(chan error, 1)
		go func() { connected <- c.Connect() }()
		p.next(t).accept(t, "s1", false)
		if err := wait(t, connected, "Connect"); err != nil {
			t.Fatal(err)
		}
		err = c.KickMember(t.Context(), "hall", "eve", "")
		if rooms == nil && !errors.Is(err, ErrNoRoomService) || rooms != nil && err != nil {
			t.Errorf("with %v: %v", rooms, err)
		}
		p.disconnect(t, c)
	}
}

// TestCreatedRoomsAreFollowed after a reconnect to another session, as joined ones are, until they are deleted.
func TestCreatedRoomsAreFollowed(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	p.onCall(func(_ string, req proto.Message) (proto.Message, error) {
		switch r := req.(type) {
		case *imv1.CreateRoomRequest:
			return &imv1.CreateRoomResponse{RoomInfo: &imv1.RoomInfo{RoomId: "of-" + r.GetName()}}, nil
		case *imv1.DeleteRoomRequest:
			return &imv1.DeleteRoomResponse{}, nil
		}
		return nil, nil //nolint:nilnil // the peer answers
	})
	for _, name := range []string{"one", "two"} {
		if _, err := c.CreateRoom(t.Context(), NewRoom{Name: name, Nickname: "Al"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.DeleteRoom(t.Context(), "of-one"); err != nil {
		t.Fatal(err)
	}
	ps.end(errLost)
	p.next(t).accept(t, "s2", false)
	if join := wait(t, p.joins, "a join"); join.GetRoomId() != "of-two" || join.GetMetadata()["nickname"] != "Al" {
		t.Errorf("joined %v", join)
	}
	wait(t, ev.connects, "OnConnect")
	select {
	case join := <-p.joins:
		t.Errorf("joined %v too", join)
	default:
	}
}
