package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// socket is a client that somebody else's library makes.
type socket struct {
	t      *testing.T
	conn   *websocket.Conn
	header http.Header
	text   bool
}

func dialSocket(t *testing.T, b *bench, path string, protocols []string, headers ...string) (*socket, *http.Response, error) {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, b.http+path, &websocket.DialOptions{Subprotocols: protocols, HTTPHeader: h})
	if err != nil {
		return nil, resp, err
	}
	t.Cleanup(func() { _ = conn.CloseNow() }) // may be closed already
	return &socket{t: t, conn: conn, header: resp.Header, text: strings.HasSuffix(conn.Subprotocol(), ".json")}, resp, nil
}

func mustDial(t *testing.T, b *bench, path string, protocols []string, headers ...string) *socket {
	t.Helper()
	s, _, err := dialSocket(t, b, path, protocols, headers...) //nolint:bodyclose // the library has closed it
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *socket) send(req *imv1.MessageRequest) {
	s.t.Helper()
	kind, marshal := websocket.MessageBinary, proto.Marshal
	if s.text {
		kind, marshal = websocket.MessageText, protojson.Marshal
	}
	data, err := marshal(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.conn.Write(s.t.Context(), kind, data); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) read() (*imv1.MessageResponse, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	kind, data, err := s.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	if (kind == websocket.MessageText) != s.text {
		s.t.Errorf("a %v message came", kind)
	}
	m := &imv1.MessageResponse{}
	if s.text {
		return m, protojson.Unmarshal(data, m)
	}
	return m, proto.Unmarshal(data, m)
}

// next reads until a frame of a type.
func (s *socket) next(want imv1.MessageType) *imv1.MessageResponse {
	s.t.Helper()
	for {
		m, err := s.read()
		if err != nil {
			s.t.Fatalf("instead of a %v: %v", want, err)
		}
		if m.GetType() == want {
			return m
		}
	}
}

const (
	text      = imv1.MessageType_MESSAGE_TYPE_TEXT
	heartbeat = imv1.MessageType_MESSAGE_TYPE_HEARTBEAT
	ackType   = imv1.MessageType_MESSAGE_TYPE_ACK
)

// TestWebSocketsAndStreamsMeet lets clients of both notations talk in a room.
func TestWebSocketsAndStreamsMeet(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	alice := mustDial(t, b, "/im?user-id=alice&room-id=lobby&capabilities=ack", []string{"im.v1.proto"})
	bob := mustDial(t, b, "/im", []string{"other", "im.v1.json"}, "user-id", "bob", "room-id", "lobby", "capabilities", "resume,ack,greeting")
	for _, key := range []string{"Session-Id", "Resume-Ticket", "Resumed", "Heartbeat-Seconds"} {
		if bob.header.Get(key) == "" {
			t.Errorf("the upgrade has no %s", key)
		}
	}
	greeting, err := bob.read()
	if err != nil || greeting.GetType() != heartbeat || greeting.GetLinkSeq() != 0 || greeting.GetMetadata()["session-id"] != bob.header.Get("Session-Id") {
		t.Errorf("greeted with %v, %v", greeting, err)
	}
	alice.send(&imv1.MessageRequest{MessageId: "a1", Type: text, Content: []byte("hello")})
	var content imv1.AckContent
	if err := proto.Unmarshal(alice.next(ackType).GetContent(), &content); err != nil || !content.GetSuccess() {
		t.Errorf("%v, %v", &content, err)
	}
	if m := bob.next(text); string(m.GetContent()) != "hello" || m.GetSeq() != 1 || m.GetLinkSeq() == 0 {
		t.Errorf("bob got %v", m)
	}
	bob.send(&imv1.MessageRequest{MessageId: "b1", Type: text, Content: []byte("hi")})
	ack := bob.next(ackType)
	var script struct{ OriginalMessageID string }
	if err := json.Unmarshal(ack.GetContent(), &script); err != nil || script.OriginalMessageID != "b1" {
		t.Errorf("an ACK holds %s, %v", ack.GetContent(), err)
	}
	if m := alice.next(text); string(m.GetContent()) != "hi" {
		t.Errorf("alice got %v", m)
	}
	if err := bob.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type": `)); err != nil {
		t.Fatal(err)
	}
	if m := bob.next(ackType); m.GetMetadata()["reason"] != "MALFORMED" {
		t.Errorf("bad JSON was answered with %v", m)
	}
}

// TestTheFirstMessageDecides leaves out the subprotocol, and who it is.
func TestTheFirstMessageDecides(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	for name, path := range map[string]string{"known": "/im?user-id=carol&room-id=den", "unknown": "/im"} {
		for _, isText := range []bool{false, true} {
			s := mustDial(t, b, path, nil)
			s.text = isText
			s.send(&imv1.MessageRequest{UserId: "carol", RoomId: "den", Type: heartbeat, Content: []byte("ping")})
			if m := s.next(heartbeat); string(m.GetContent()) != "ping" {
				t.Errorf("%s, text %v: got %v", name, isText, m)
			}
			if err := s.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("%s, text %v: close: %v", name, isText, err)
			}
		}
	}
}

// TestASessionResumesInTheOtherNotation loses a protobuf connection and comes back in JSON.
func TestASessionResumesInTheOtherNotation(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	alice := mustDial(t, b, "/im?user-id=alice&room-id=lobby", []string{"im.v1.proto"})
	bob := mustDial(t, b, "/im?user-id=bob&room-id=lobby&capabilities=resume", []string{"im.v1.proto"})
	_ = bob.conn.CloseNow() // what it says does not matter
	alice.send(&imv1.MessageRequest{MessageId: "a1", Type: text, Content: []byte("missed")})
	again := mustDial(t, b, "/im?user-id=bob&capabilities=resume&last-link-seq=0&session-id="+bob.header.Get("Session-Id")+
		"&resume-ticket="+bob.header.Get("Resume-Ticket"), []string{"im.v1.json"})
	if again.header.Get("Resumed") != "true" || again.header.Get("Session-Id") != bob.header.Get("Session-Id") {
		t.Errorf("resumed %q", again.header.Get("Resumed"))
	}
	if m := again.next(text); string(m.GetContent()) != "missed" || m.GetLinkSeq() == 0 {
		t.Errorf("got %v", m)
	}
}

func TestWebSocketRefusals(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, test := range map[string]struct {
		path      string
		protocols []string
		headers   []string
		waiting   bool // the node is not ready
		code      int
		reason    string
	}{
		"not ready":             {path: "/im?user-id=alice", waiting: true, code: 503, reason: "NOT_SERVING"},
		"nobody":                {path: "/im?user-id=refused", code: 401, reason: "UNAUTHENTICATED"},
		"another page":          {path: "/im?user-id=alice", headers: []string{"Origin", "https://evil.example"}, code: 403, reason: "ORIGIN_NOT_ALLOWED"},
		"another subprotocol":   {path: "/im?user-id=alice", protocols: []string{"mqtt"}, code: 400, reason: "SUBPROTOCOL"},
		"a bad number":          {path: "/im?user-id=alice&last-link-seq=x", code: 400, reason: "INVALID_ARGUMENT"},
		"a room that cannot be": {path: "/im?user-id=alice&room-id=%00", protocols: []string{"im.v1.proto"}, code: 400},
	} {
		b.ready.SetServing(!test.waiting)
		_, resp, err := dialSocket(t, b, test.path, test.protocols, test.headers...) //nolint:bodyclose // the library has closed it
		if err == nil || resp == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body) // the library has read it
		if resp.StatusCode != test.code || !strings.Contains(string(body), test.reason) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	b.ready.SetServing(true)
	if code, h, body := fetch(t, http.MethodGet, b.http+"/im?user-id=alice"); code != http.StatusUpgradeRequired || h.Get("Upgrade") != "websocket" {
		t.Errorf("without an upgrade: %d %s", code, body)
	}
	if _, _, err := dialSocket(t, b, "/im?user-id=alice", []string{"im.v1.proto"}, "Origin", b.http); err != nil { //nolint:bodyclose // the library has closed it
		t.Errorf("a page of this host: %v", err)
	}
}

// TestARefusalBehindTheUpgradeIsAClose: who it is was only said in the first message.
func TestARefusalBehindTheUpgradeIsAClose(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	s := mustDial(t, b, "/im", []string{"im.v1.json"})
	if err := s.conn.Write(t.Context(), websocket.MessageText, []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	_, err := s.read()
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4002 || !strings.HasPrefix(closed.Reason, "MALFORMED: ") {
		t.Errorf("closed with %v", err)
	}
}

// TestGatewayProtocolOverWebSocket, in both of its formats: a session begins, logs in and is answered,
// and its frames are numbered.
func TestGatewayProtocolOverWebSocket(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	for protocol, format := range map[string]struct {
		kind      websocket.MessageType
		marshal   func(proto.Message) ([]byte, error)
		unmarshal func([]byte, proto.Message) error
	}{
		"gateway.v1.proto": {websocket.MessageBinary, proto.Marshal, proto.Unmarshal},
		"gateway.v1.json":  {websocket.MessageText, protojson.Marshal, protojson.Unmarshal},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := mustDial(t, b, "/ws", []string{protocol})
			seq := uint64(0)
			ask := func(kind gatewayv1.RequestType, payload, answer proto.Message) {
				t.Helper()
				inner, err := format.marshal(payload)
				if err != nil {
					t.Fatal(err)
				}
				seq++
				outer, err := format.marshal(&gatewayv1.ClientRequest{MsgId: uint32(seq), SeqId: seq - 1, Type: kind, Payload: inner})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := s.conn.Write(ctx, format.kind, outer); err != nil {
					t.Fatal(err)
				}
				got, data, err := s.conn.Read(ctx)
				push := &gatewayv1.ServerPush{}
				if err != nil || got != format.kind || format.unmarshal(data, push) != nil {
					t.Fatalf("%v, %v: %q", err, got, data)
				}
				if uint64(push.GetMsgId()) != seq || push.GetSeqId() != seq || format.unmarshal(push.GetPayload(), answer) != nil {
					t.Fatalf("the answer to %d is %v", seq, push)
				}
			}
			started := &gatewayv1.StartResponse{}
			ask(gatewayv1.RequestType_REQUEST_START, &gatewayv1.StartRequest{Openid: protocol}, started)
			if !started.GetSuccess() || started.GetConnectionId() == "" {
				t.Fatalf("not started: %v", started)
			}
			answer := &gatewayv1.BusinessResponse{}
			ask(gatewayv1.RequestType_REQUEST_BUSINESS, &gatewayv1.BusinessRequest{Action: "hello"}, answer)
			if answer.GetCode() != http.StatusOK {
				t.Fatalf("hello: %v", answer)
			}
			ask(gatewayv1.RequestType_REQUEST_BUSINESS, &gatewayv1.BusinessRequest{Action: "echo", Data: []byte("hi")}, answer)
			if string(answer.GetData()) != "Echo: hi" {
				t.Errorf("echo: %v", answer)
			}
		})
	}
}

// TestWebSocketPanics: one session panics, and the node goes on.
func TestWebSocketPanics(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	if _, resp, err := dialSocket(t, b, "/im?user-id=panic", []string{"im.v1.proto"}); err == nil || resp == nil || resp.StatusCode != http.StatusInternalServerError { //nolint:bodyclose // the library has closed it
		t.Errorf("%v, %v", resp, err)
	}
	s := mustDial(t, b, "/im?user-id=alice", []string{"im.v1.proto"})
	s.send(&imv1.MessageRequest{Type: heartbeat})
	s.next(heartbeat)
}

func TestWebSocketsAreCounted(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	count := func(want string) bool {
		_, _, body := fetch(t, http.MethodGet, b.ops+"/metrics")
		return strings.Contains(body, "\nhermod_websocket_connections{protocol=\"im.v1\"} "+want+"\n")
	}
	s := mustDial(t, b, "/im?user-id=alice", []string{"im.v1.proto"})
	wait := func(want string) {
		for deadline := time.Now().Add(patience); !count(want); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not %s", want)
			}
		}
	}
	wait("1")
	if err := s.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	wait("0")
}
