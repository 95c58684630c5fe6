package e2e

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// The tests in this file are a published client that knows nothing of Hermod's additions.

func heartbeat(user, room string) *imv1.MessageRequest {
	return &imv1.MessageRequest{UserId: user, RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Content: []byte("ping")}
}

// TestIdentityOfAStream has every way in which a client says who it is.
func TestIdentityOfAStream(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "alice")
	isMember := func(user string) bool {
		for _, u := range info(t, im, "lobby", "alice").GetUsers() {
			if u.GetUserId() == user {
				return true
			}
		}
		return false
	}
	hears := func(what string, s *Stream) {
		t.Helper()
		id := say(t, im, "lobby", "alice", "to "+what).GetMessageId()
		s.Until("the message to "+what, func(f Frame) bool { return f.GetMessageId() == id })
	}

	both := n.Connect(Hello{User: "both", Room: "lobby"})
	if !isMember("both") {
		t.Error("user-id and room-id: not a member")
	}
	hears("both", both)

	join(t, im, "lobby", "user alone")
	alone := n.Connect(Hello{User: "user alone"})
	hears("user alone", alone)
	if stranger := n.Connect(Hello{User: "stranger"}); len(stranger.Flush()) > 0 || isMember("stranger") {
		t.Error("user-id alone: became a member of something")
	}

	listener := n.Connect(Hello{User: "alice", Room: "lobby"})
	listener.Flush()
	nothing := n.Begin(Hello{})
	nothing.Send(&imv1.MessageRequest{
		MessageId: "first_1", UserId: "nothing", RoomId: "lobby", Type: text, Content: []byte("first"),
		Timestamp: timestamppb.Now(), Metadata: map[string]string{"k": "v"},
	})
	f := listener.Until("the first message of a stream", func(f Frame) bool { return f.GetType() == text })
	if string(f.GetContent()) != "first" || f.GetFromUserId() != "nothing" || f.GetRoomId() != "lobby" || f.GetMetadata()["k"] != "v" {
		t.Errorf("it arrived as %v", f)
	}
	hears("nothing", nothing)

	beats := n.Begin(Hello{})
	beats.Send(heartbeat("beats", "lobby"))
	if f := beats.Next(); f.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT {
		t.Errorf("the first heartbeat was answered by %v", f)
	}
	hears("beats", beats)

	roomOnly := n.Begin(Hello{Room: "lobby"})
	roomOnly.Send(heartbeat("room only", ""))
	roomOnly.Next()
	hears("room only", roomOnly)

	nobody := n.Begin(Hello{})
	nobody.Send(&imv1.MessageRequest{RoomId: "lobby", Type: text, Content: []byte("who am I")})
	refused(t, "a first message without a user", nobody.Ended(), codes.InvalidArgument, "INVALID_ARGUMENT")
}

// TestOldClientGetsNothingNew: without capabilities there are no numbers, envelopes or answers.
func TestOldClientGetsNothingNew(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	old := n.Connect(Hello{User: "old", Room: "lobby"})
	other := n.Connect(Hello{User: "other", Room: "lobby"})
	if got := firstOf(old.header, "resume-ticket"); got != "" {
		t.Error("a ticket for a client that cannot resume")
	}
	old.Flush()
	for _, content := range numbers(1, 200) {
		old.Say("lobby", "id "+content, content)
		other.Say("lobby", "id "+content, content)
	}
	for i, f := range old.Take(200) {
		if f.Link != 0 || f.Batched || f.GetType() != text || string(f.GetContent()) != numbers(i+1, i+1)[0] {
			t.Fatalf("frame %d: %v", i+1, f)
		}
		if f.GetFromUserId() != "other" || f.GetMessageId() == "" || f.GetTimestamp() == nil || f.GetRoomId() != "lobby" {
			t.Fatalf("frame %d: %v", i+1, f)
		}
	}
	if rest := old.Flush(); len(rest) > 0 {
		t.Errorf("%d frames too many, echoes or answers: %v", len(rest), rest[0])
	}
	old.Send(&imv1.MessageRequest{MessageId: "bad", RoomId: "elsewhere", Type: text})
	if f := old.Next(); f.Ack(t).GetSuccess() || f.Ack(t).GetOriginalMessageId() != "bad" || f.GetMetadata()["reason"] != "ROOM_NOT_FOUND" {
		t.Errorf("a refusal: %v", f)
	}
}

// TestHeartbeatsStayOnTheirStream: they are answered there and nowhere else.
func TestHeartbeatsStayOnTheirStream(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	one := n.Connect(Hello{User: "alice", Room: "lobby"})
	two := n.Connect(Hello{User: "alice", Room: "lobby"})
	bob := n.Connect(Hello{User: "bob", Room: "lobby"})
	two.Flush()
	one.Flush()
	one.Send(heartbeat("alice", ""))
	one.Send(heartbeat("alice", "lobby"))
	one.Send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, RoomId: "no such room"})
	for i, want := range []string{"ping", "ping", ""} {
		if f := one.Next(); f.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT || string(f.GetContent()) != want || f.GetTimestamp() == nil {
			t.Errorf("answer %d: %v", i+1, f)
		}
	}
	for _, s := range []*Stream{two, bob} {
		if got := s.Flush(); len(got) > 0 {
			t.Errorf("another stream got %v", got)
		}
	}
}

// TestContentIsUntouched sends what is no valid text, JSON or protobuf, in every type.
func TestContentIsUntouched(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "bob")
	alice := n.Connect(Hello{User: "alice", Room: "lobby"})
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	bob := n.Connect(Hello{User: "bob", Room: "lobby"})
	metadata := map[string]string{"user-id": "x", "": "empty", "ключ": "значение\n", "reason": "r"}
	for _, content := range [][]byte{all, nil, []byte("{\"type\":\"markdown\",  \"content\":1e400}"), {0}, bytes.Repeat([]byte{0xff}, 1<<20)} {
		for _, kind := range []imv1.MessageType{1, 2, 3, 4} {
			alice.Send(&imv1.MessageRequest{RoomId: "lobby", Type: kind, Content: content, Metadata: metadata})
			f := bob.Next()
			if f.GetType() != kind || !bytes.Equal(f.GetContent(), content) || len(f.GetMetadata()) != len(metadata) {
				t.Errorf("%d bytes as type %d arrived as %d bytes, type %d, metadata %v",
					len(content), kind, len(f.GetContent()), f.GetType(), f.GetMetadata())
			}
			for k, v := range metadata {
				if f.GetMetadata()[k] != v {
					t.Errorf("metadata %q: %q arrived as %q", k, v, f.GetMetadata()[k])
				}
			}
		}
	}
	// The same from the log.
	late := n.Connect(Hello{User: "bob", Room: "lobby", Device: "late"})
	late.Flush()
	late.End()
	alice.Send(&imv1.MessageRequest{RoomId: "lobby", Type: 2, Content: all, Metadata: metadata})
	bob.Next()
	late = n.Connect(Hello{User: "bob", Room: "lobby", Device: "late"})
	if f := late.Next(); !bytes.Equal(f.GetContent(), all) || len(f.GetMetadata()) != len(metadata) || f.GetType() != 2 {
		t.Errorf("from the log: %v", f)
	}
}

// TestOverlappingStreams: a client that reconnects twice in a row has two streams for a moment.
func TestOverlappingStreams(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "alice")
	watcher := n.Connect(Hello{User: "alice", Room: "lobby"})
	older := n.Connect(Hello{User: "bob", Room: "lobby"})
	newer := n.Connect(Hello{User: "bob", Room: "lobby"})
	older.Flush()
	newer.Flush()
	say(t, im, "lobby", "alice", "to both")
	expect(t, "the older one", contents(older, 1), "to both")
	expect(t, "the newer one", contents(newer, 1), "to both")

	// What one of them sends, the other one gets, with the id that the client gave it.
	older.Say("lobby", "mine", "from the older one")
	f := newer.Next()
	if f.GetFromUserId() != "bob" || f.GetMetadata()["client-message-id"] != "mine" {
		t.Errorf("the newer one got %v", f)
	}
	older.End()
	if online := joinedOnline(t, im, "lobby", "alice"); !has(online, "bob") {
		t.Errorf("online after the end of the older stream: %v", online)
	}
	say(t, im, "lobby", "alice", "still there")
	expect(t, "the newer one", contents(newer, 1), "still there")
	newer.End()
	if online := joinedOnline(t, im, "lobby", "alice"); has(online, "bob") {
		t.Errorf("online after the end of both: %v", online)
	}
	var notices int
	for _, f := range watcher.Flush() {
		if f.GetType() != text {
			notices++
		}
	}
	if notices != 1 {
		t.Errorf("%d notices, want 1: that bob became a member", notices)
	}
}

// TestAckRequired: who never acknowledges gets such a message again with each connection; an ACK in
// either form ends that, and what stands before it is settled with it.
func TestAckRequired(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	for _, user := range []string{"proto", "json"} {
		room := "for " + user
		join(t, im, room, "alice")
		h := Hello{User: user, Room: room}
		s := n.Connect(h)
		s.Flush()
		say(t, im, room, "alice", "before")
		resp, err := im.SendMessage(within(t), &imv1.SendMessageRequest{
			UserId: "alice", RoomId: room, Type: text, Content: []byte("important"), AckRequired: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		say(t, im, room, "alice", "after")
		expect(t, user+" at first", contents(s, 3), "before", "important", "after")
		s.Flush()
		s.End()
		for range 2 {
			s = n.Connect(h)
			got := s.Take(2)
			expect(t, user+" without an ACK", said(got), "important", "after")
			if !got[0].GetAckRequired() || got[1].GetAckRequired() || got[0].GetMessageId() != resp.GetMessageId() {
				t.Errorf("%s: %v", user, got)
			}
			s.End()
		}
		s = n.Connect(h)
		s.Take(2)
		s.AckMessage(room, resp.GetMessageId(), user == "json")
		if rest := s.Flush(); len(rest) > 0 {
			t.Errorf("an ACK was answered: %v", rest)
		}
		s.End()
		s = n.Connect(h)
		for _, f := range s.Flush() {
			if string(f.GetContent()) == "important" {
				t.Errorf("%s: it comes again after the ACK", user)
			}
		}
		s.End()
	}
}

// TestAckLetsTheCursorPass: once the message that required an ACK has it, what was written behind it
// counts as received with the next thing heard, as ever.
func TestAckLetsTheCursorPass(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "alice", "bob")
	h := Hello{User: "bob", Room: "lobby"}
	s := n.Connect(h)
	resp, err := im.SendMessage(within(t), &imv1.SendMessageRequest{
		UserId: "alice", RoomId: "lobby", Type: text, Content: []byte("important"), AckRequired: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	say(t, im, "lobby", "alice", "after")
	s.Take(2)
	s.AckMessage("lobby", resp.GetMessageId(), false)
	s.Flush()
	s.End()
	s = n.Connect(h)
	expect(t, "after the ACK, a heartbeat and a clean end", said(s.Flush()))
}

// TestCursorOfAClientThatNeverAcks moves to what was written before the last thing heard.
func TestCursorOfAClientThatNeverAcks(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "alice", "bob")
	say(t, im, "lobby", "alice", "1", "2")
	h := Hello{User: "bob", Room: "lobby"}
	s := n.Connect(h)
	expect(t, "at first", contents(s, 2), "1", "2")
	s.Flush()
	s.Flush() // the first echo was written after the messages; this one was heard after it
	say(t, im, "lobby", "alice", "3")
	expect(t, "live", contents(s, 1), "3")
	s.Cut() // nothing was heard since 3
	n.eventually("the session is over", func() bool { return n.Metric("hermod_sessions") == 0 })
	s = n.Connect(h)
	expect(t, "after a loss", contents(s, 1), "3")
	expect(t, "and no more", said(s.Flush()))
	s.End()
	s = n.Connect(h)
	expect(t, "after a clean end", said(s.Flush()))
}

// TestTheHeadersMeanThatTheSessionIsThere: once a client has them, pushes reach the session and
// nothing that is said in its room passes it by, even where nothing is kept.
func TestTheHeadersMeanThatTheSessionIsThere(t *testing.T) {
	t.Parallel()
	n := Start(t, "room:\n  defaults:\n    persistent: false\n")
	im, g := n.Calls(), n.Pushes()
	join(t, im, "lobby", "alice")
	for round := range 60 {
		bob := fmt.Sprint("bob ", round)
		join(t, im, "lobby", bob)
		s := n.Connect(Hello{User: bob, Room: "lobby"})
		if round%2 == 0 {
			if resp := pushTo(t, within(t), g, bob, "push"); resp.GetMessage() != "delivered" {
				t.Errorf("round %d: a push right after the headers: %v", round, resp)
			}
		} else {
			say(t, im, "lobby", "alice", "said")
			if got := s.Flush(); len(got) != 1 {
				t.Errorf("round %d: a message right after the headers: got %v", round, got)
			}
		}
		s.End()
	}
}

// TestHealthAndReflection: what registries and tools ask on the ports.
func TestHealthAndReflection(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	for service, want := range map[string]imv1.HealthStatus{
		"":                  imv1.HealthStatus_HEALTH_STATUS_SERVING,
		"im.v1.IMService":   imv1.HealthStatus_HEALTH_STATUS_SERVING,
		"no.such.IMService": imv1.HealthStatus_HEALTH_STATUS_SERVICE_UNKNOWN,
	} {
		resp, err := im.HealthCheck(within(t), &imv1.HealthCheckRequest{Service: service})
		if err != nil || resp.GetStatus() != want || resp.GetMessage() == "" {
			t.Errorf("HealthCheck %q: %v, %v", service, resp, err)
		}
	}
	for addr, services := range map[string][]string{
		n.IM:      {"im.v1.IMService", "grpc.health.v1.Health"},
		n.Gateway: {"hermod.gateway.v1.GatewayService", "gatesvr.proto.GatewayService", "grpc.health.v1.Health"},
	} {
		conn := Dial(t, addr)
		health := healthpb.NewHealthClient(conn)
		for _, service := range append([]string{""}, services...) {
			if service == "grpc.health.v1.Health" {
				continue
			}
			resp, err := health.Check(within(t), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
				t.Errorf("health of %q: %v, %v", service, resp, err)
			}
		}
		stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(within(t))
		if err != nil {
			t.Fatal(err)
		}
		req := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		var listed []string
		for _, s := range resp.GetListServicesResponse().GetService() {
			listed = append(listed, s.GetName())
		}
		for _, service := range services {
			if !has(listed, service) {
				t.Errorf("reflection on %s lists %v, not %s", addr, listed, service)
			}
		}
	}
	if _, err := im.GetAudioTranscript(within(t), &imv1.TranscriptRequest{AudioId: "x"}); err == nil {
		t.Error("a transcript of nothing")
	}
}
