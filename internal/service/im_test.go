package service_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/service"
)

// live is a Deliverer that reaches nobody, and a Presence of some.
type live struct {
	online []biz.UserID
	told   []biz.Ephemeral
}

func (*live) Deliver(*biz.Draft)          {}
func (*live) Joined(biz.JoinResult)       {}
func (*live) Left(biz.RoomID, biz.UserID) {}

func (l *live) DeliverEphemeral(e *biz.Ephemeral) { l.told = append(l.told, *e) }

func (l *live) States(_ context.Context, users []biz.UserID) (states []biz.PresenceState) {
	for _, u := range users {
		state := biz.PresenceOffline
		if slices.Contains(l.online, u) {
			state = biz.PresenceOnline
		}
		states = append(states, state)
	}
	return states
}

func (l *live) Online(_ context.Context, users []biz.UserID) (online []biz.UserID) {
	for _, u := range users {
		if slices.Contains(l.online, u) {
			online = append(online, u)
		}
	}
	return online
}

// readiness is a service.Readiness that gives an answer.
type readiness struct{ err error }

func (r readiness) Ready(context.Context) error { return r.err }

// stuckLog is a log that never answers.
type stuckLog struct{ biz.MessageLog }

func (stuckLog) Append(*biz.Draft, func(biz.Receipt, error)) {}

// newIM returns the service on a store of its own, in which alice is online.
func newIM(t *testing.T, ready readiness) *service.IM {
	t.Helper()
	return newIMWith(t, ready, func(l biz.MessageLog) biz.MessageLog { return l })
}

func newIMWith(t *testing.T, ready readiness, wrap func(biz.MessageLog) biz.MessageLog) *service.IM {
	t.Helper()
	db, err := data.Open(t.Context(), data.Options{Driver: "sqlite", Dir: t.TempDir(), Synchronous: "normal"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{online: []biz.UserID{"alice"}}
	log, err := data.NewMessageLog(db, l, data.LogOptions{Events: im.EventContent}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	indexed := make(chan error, 1)
	index := data.NewIndexer(db, imcall.Reader{}, quiet)
	go func() { indexed <- index.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, <-indexed, db.Close()); err != nil {
			t.Error(err)
		}
	})
	rooms, members := data.NewRooms(db), data.NewMembers(db)
	rules := biz.RoomRules{AutoCreate: true, MaxPerUser: 10, Defaults: biz.RoomConfig{
		MaxUsers: 3, Persistent: true, MessageTTL: time.Hour, IdleTimeout: time.Minute, AllowAudio: true,
	}}
	messages := biz.NewMessages(rooms, wrap(log), l, biz.MessageRules{MaxContentBytes: 100, MaxMetadataBytes: 100})
	history := biz.NewHistory(data.NewHistory(db))
	return service.NewIM(service.IMRules{
		Rooms: biz.NewRooms(rooms, members, log, l, l, rules), Messages: messages, History: history,
		Revisions: biz.NewRevisions(messages, history, data.NewRevisions(db), imcall.Transcribed, quiet),
		Search:    biz.NewSearch(data.NewSearch(db), data.NewHistory(db), imcall.Reader{}, biz.SearchRules{Enabled: true}),
		Live: service.Live{
			Ephemerals: biz.NewEphemerals(rooms, l, biz.EphemeralRules{PerSecond: 1, Burst: 2}),
			Watermarks: biz.NewWatermarks(history, data.NewWatermarks(db), rooms, members, l, biz.WatermarkRules{MaxTold: 10}),
			Presences:  biz.NewPresences(l, data.NewAcquaintances(db, quiet), rooms, members, biz.PresenceRules{MaxNamed: 10}),
		},
	}, nil, ready, quiet)
}

func by(t *testing.T, user biz.UserID) context.Context {
	return biz.WithIdentity(t.Context(), biz.Identity{User: user})
}

func join(t *testing.T, s *service.IM, user biz.UserID, md map[string]string) *imv1.JoinRoomResponse {
	t.Helper()
	resp, err := s.JoinRoom(by(t, user), &imv1.JoinRoomRequest{RoomId: "r", Metadata: md})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// wantRefused fails unless err is of that code and reason.
func wantRefused(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	if status.Code(err) != code || kerrors.Reason(err) != reason {
		t.Errorf("got %v, want %v %s", err, code, reason)
	}
}

func TestJoinRoom(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	resp := join(t, s, "bob", map[string]string{"nickname": "Bobby", "role": "admin"})
	if resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 {
		t.Errorf("status %v", resp.GetStatus())
	}
	if !slices.Equal(resp.GetOnlineUsers(), []string{"alice"}) {
		t.Errorf("online: %v", resp.GetOnlineUsers())
	}
	info := resp.GetRoomInfo()
	if info.GetRoomId() != "r" || info.GetUserCount() != 2 || info.GetCreatedAt() == nil || info.GetLastActive() == nil {
		t.Errorf("room %v", info)
	}
	c := info.GetConfig()
	if c.GetMaxUsers() != 3 || !c.GetPersistent() || c.GetMessageTtlSeconds() != 3600 || c.GetIdleTimeoutSeconds() != 60 ||
		!c.GetAllowAudio() || c.GetAllowRichText() || c.GetAutoTranscribe() {
		t.Errorf("config %v", c)
	}
	_, err := s.JoinRoom(by(t, "carol"), &imv1.JoinRoomRequest{RoomId: "r", UserId: "alice"})
	wantRefused(t, err, codes.PermissionDenied, "FOREIGN_USER")
	_, err = s.JoinRoom(by(t, "carol"), &imv1.JoinRoomRequest{RoomId: "r", Metadata: map[string]string{"role": "owner"}})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	join(t, s, "carol", nil)
	_, err = s.JoinRoom(by(t, "dave"), &imv1.JoinRoomRequest{RoomId: "r"})
	wantRefused(t, err, codes.ResourceExhausted, "ROOM_FULL")
}

func TestGetRoomInfo(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	join(t, s, "bob", map[string]string{"nickname": "Bobby"})
	for range 3 {
		send(t, s, "alice", "")
	}
	resp, err := s.GetRoomInfo(by(t, "bob"), &imv1.GetRoomInfoRequest{RoomId: "r", UserId: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetStatus() == nil || resp.GetRoomInfo().GetMessageCount() != 3 || resp.GetRoomInfo().GetUserCount() != 2 {
		t.Errorf("got %v", resp)
	}
	users := resp.GetUsers()
	if len(users) != 2 || users[0].GetUserId() != "alice" || users[0].GetRole() != imv1.UserRole_USER_ROLE_ADMIN ||
		users[1].GetNickname() != "Bobby" || users[1].GetRole() != imv1.UserRole_USER_ROLE_USER || users[1].GetJoinedAt() == nil {
		t.Errorf("users %v", users)
	}
	_, err = s.GetRoomInfo(by(t, "eve"), &imv1.GetRoomInfoRequest{RoomId: "r"})
	wantRefused(t, err, codes.PermissionDenied, "NOT_A_MEMBER")
	_, err = s.GetRoomInfo(by(t, "eve"), &imv1.GetRoomInfoRequest{RoomId: "x"})
	wantRefused(t, err, codes.NotFound, "ROOM_NOT_FOUND")
	_, err = s.GetRoomInfo(t.Context(), &imv1.GetRoomInfoRequest{RoomId: "r"})
	wantRefused(t, err, codes.Unauthenticated, "UNAUTHENTICATED")
}

func TestLeaveRoom(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	for range 2 {
		resp, err := s.LeaveRoom(by(t, "alice"), &imv1.LeaveRoomRequest{RoomId: "r"})
		if err != nil || resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 {
			t.Errorf("got %v, %v", resp, err)
		}
	}
	_, err := s.LeaveRoom(by(t, "alice"), &imv1.LeaveRoomRequest{})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
}

func send(t *testing.T, s *service.IM, user biz.UserID, id string) *imv1.SendMessageResponse {
	t.Helper()
	resp, err := s.SendMessage(by(t, user), &imv1.SendMessageRequest{
		RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("x"), MessageId: id,
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestSendMessage(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	first := send(t, s, "alice", "c1")
	if first.GetStatus() == nil || first.GetStatus().GetCode() != 0 || first.GetSeq() != 1 || first.GetMessageId() == "" || first.GetTimestamp() == nil {
		t.Errorf("got %v", first)
	}
	if again := send(t, s, "alice", "c1"); again.GetMessageId() != first.GetMessageId() || again.GetSeq() != 1 || !again.GetTimestamp().AsTime().Equal(first.GetTimestamp().AsTime()) {
		t.Errorf("the same again: %v, first %v", again, first)
	}
	for _, test := range []struct {
		by     biz.UserID
		req    *imv1.SendMessageRequest
		code   codes.Code
		reason string
	}{
		{"alice", &imv1.SendMessageRequest{RoomId: "r", MessageId: "c1", Type: 1, Content: []byte("other")}, codes.Aborted, ""},
		{"alice", &imv1.SendMessageRequest{RoomId: "r", UserId: "bob", Type: 1}, codes.PermissionDenied, "FOREIGN_USER"},
		{"bob", &imv1.SendMessageRequest{RoomId: "r", Type: 1}, codes.PermissionDenied, "NOT_A_MEMBER"},
		{"bob", &imv1.SendMessageRequest{RoomId: "x", Type: 1}, codes.NotFound, "ROOM_NOT_FOUND"},
		{"alice", &imv1.SendMessageRequest{RoomId: "r", Type: -5}, codes.InvalidArgument, "INVALID_TYPE"},
		{"alice", &imv1.SendMessageRequest{RoomId: "r", Type: 3}, codes.PermissionDenied, "RICH_TEXT_NOT_ALLOWED"},
		{"alice", &imv1.SendMessageRequest{RoomId: "r", Type: 1, Content: make([]byte, 101)}, codes.InvalidArgument, "CONTENT_TOO_LARGE"},
	} {
		resp, err := s.SendMessage(by(t, test.by), test.req)
		if status.Code(err) != test.code || test.reason != "" && kerrors.Reason(err) != test.reason {
			t.Errorf("%v: %v, %v; want %v %s", test.req, resp, err, test.code, test.reason)
		}
	}
}

func TestSendMessageEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	s := newIMWith(t, readiness{}, func(biz.MessageLog) biz.MessageLog { return stuckLog{} })
	join(t, s, "alice", nil)
	req := &imv1.SendMessageRequest{RoomId: "r", Type: 1}

	canceled, cancel := context.WithCancel(by(t, "alice"))
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := s.SendMessage(canceled, req)
	wantRefused(t, err, codes.Canceled, "CANCELED")

	late, cancel := context.WithTimeout(by(t, "alice"), 10*time.Millisecond)
	defer cancel()
	_, err = s.SendMessage(late, req)
	wantRefused(t, err, codes.Unavailable, "DEADLINE_EXCEEDED")
}

func TestHealthCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service string
		ready   error
		want    imv1.HealthStatus
	}{
		"serving":            {"", nil, imv1.HealthStatus_HEALTH_STATUS_SERVING},
		"by name":            {"im.v1.IMService", nil, imv1.HealthStatus_HEALTH_STATUS_SERVING},
		"another":            {"im.v2.IMService", nil, imv1.HealthStatus_HEALTH_STATUS_SERVICE_UNKNOWN},
		"not ready":          {"", errors.New("store: gone"), imv1.HealthStatus_HEALTH_STATUS_NOT_SERVING},
		"another, not ready": {"x", errors.New("store: gone"), imv1.HealthStatus_HEALTH_STATUS_SERVICE_UNKNOWN},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := service.NewIM(service.IMRules{}, nil, readiness{test.ready}, quiet)
			got, err := s.HealthCheck(t.Context(), &imv1.HealthCheckRequest{Service: test.service})
			if err != nil || got.GetStatus() != test.want || got.GetMessage() == "" {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}
