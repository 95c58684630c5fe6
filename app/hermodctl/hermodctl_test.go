package hermodctl

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type outcome struct {
	code     int
	out, err string
}

func execute(t *testing.T, in string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, &streams{in: strings.NewReader(in), out: &out, err: &errs})
	return outcome{code, out.String(), errs.String()}
}

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args string
		want string
	}{
		{"chta", `there is no command "chta"; did you mean "chat"?`},
		{"chat", "--user and --room are required"},
		{"chat --user alice", "--room is required"},
		{"chat --user alice --room lobby now", `unexpected argument "now"`},
		{"chat --user alice --room lobby --addr nowhere", `--addr "nowhere" is not an address; host:port is allowed`},
		{"chat --usr alice", "unknown flag: --usr"},
		{"push", "one of --openid, --gid, --session and --all is required"},
		{"push --openid a --all", "2 targets; only one of"},
		{"push --all --store", "--store is allowed with --openid only"},
		{"push --all --wait 1s", "--wait is not allowed with --all"},
		{"push --openid a --wait 31s", "up to 30s is allowed"},
		{"push --openid a --demo", "2 targets; only one of"},
		{"push --demo --idempotency-key k", "--demo makes its own calls"},
		{"push --gid alice", `--gid "alice" is not a gid; a whole number`},
		{"push --openid a --timeout 0s", "--timeout 0s is too short"},
		{"push --openid a --timeout soon", `invalid argument "soon" for "--timeout"`},
		{"push --openid a --addr :", `--addr ":" is not an address`},
		{"push --openid a --rate 5", "--rate 5 is not possible; 1 to 1000000, with --all"},
		{"push --openid a --ttl -1s", "--ttl -1s is not possible"},
		{"push --openid a --ttl 0s", `--ttl "0s" says nothing`},
		{"push --all --rate 0", `--rate "0" says nothing`},
		{"push --openid a --idempotency-key=", `--idempotency-key "" says nothing`}, // as "$KEY" does where KEY is not set
		{"batch --idempotency-key=", `--idempotency-key "" says nothing`},
		{"batch --ttl 0s", `--ttl "0s" says nothing`},
		{"plugin old", `there is no command "old"; new is allowed`},
		{"plugin new", "give one name, such as no-novels"},
		{"plugin new Novels", `the name "Novels" is not possible; lower case letters`},
		{"sessions kick", `there is no command "kick"; list and close are allowed`},
		{"sessions list --state gone", `--state "gone" is unknown; inited, active and detached`},
		{"sessions close", "give sessions, or one of --openid, --gid and --state"},
		{"sessions close x --openid a", "give sessions, or one of --openid, --gid and --state"},
		{"tail lobby", `there is no command "lobby"; room and user are allowed`},
		{"tail room", "ROOM is required and must not be empty"},
		{"tail room a b", `unexpected argument "b"; one ROOM is allowed`},
		{"tail user", "USER is required and must not be empty"},
		{"tail room a --after soon", `--after "soon" is not possible; a whole number from 0 is allowed`},
		{"tail room a --after -1", `--after "-1" is not possible`},
		{"tail room a --after a=1", `--after "a=1" is not possible`},
		{"tail room a --after 1 --after 2", "--after is given twice"},
		{"tail user a --after r=1 --after r=2", "--after is given twice for room r"},
		{"tail user a --after =1", `--after "=1" is not possible`},
		{"tail user a --last 501", "--last 501 is not possible; 0 to 500 is allowed"},
		{"tail user a --limit -1", "--limit -1 is not possible"},
		{"tail user a --timeout 0s", "--timeout 0s is too short"},
		{"tail user a --addr nowhere", `--addr "nowhere" is not an address`},
		{"room kik", `there is no command "kik"; ban, bans, create, delete, invite, kick, list, members, mute, role, show, unban, unmute and update are allowed`},
		{"room show", "ROOM is required and must not be empty"},
		{"room show a b", `unexpected argument "b"`},
		{"room create a b", `unexpected argument "b"`},
		{"room create a", "--as is required and must not be empty"},
		{"room create a --as alice --message-ttl 1ms", "--message-ttl 1ms is not possible; whole seconds"},
		{"room create a --as alice --max-users -1", "--max-users -1 is not possible"},
		{"room update a", "nothing is to be changed; give one of the flags from --name on"},
		{"room update a --persistent", "unknown flag: --persistent"},
		{"room delete a", `all that was said in "a" will be gone; give --yes`},
		{"room list", "USER is required and must not be empty"},
		{"room list alice --as bob", "unknown flag: --as"},
		{"room role a bob king", `"king" is no role; user, moderator and admin are allowed`},
		{"room mute a", "USER is required and must not be empty"},
		{"room mute a b --for 0s", "--for 0s is not possible; a positive duration such as 10m is allowed, and leaving it out is until it is taken back"},
		{"room mute a bob --for -1s", "--for -1s is not possible; a positive duration"},
		{"room kick a bob --timeout 0s", "--timeout 0s is too short"},
		{"room ban a bob --addr nowhere", `--addr "nowhere" is not an address`},
		{"batch a b", "2 files; one is allowed"},
		{"batch --size 0", "--size 0 is not possible; 1 to 10000"},
		{"batch --parallel 65", "--parallel 65 is not possible; 1 to 64"},
		{"batch --data @-", "--data @- is not possible"},
		{"version 2", `unexpected argument "2"`},
		{"bench fan", `there is no mode "fan"; allowed are fanout, rooms, broadcast, push, request, idle`},
		{"bench fanout 5", `unexpected argument "5"`},
		{"bench fanout --transport tcp", `there is no transport "tcp"; allowed are grpc, websocket, quic`},
		{"bench push --transport quic", "quic needs TLS; give --ca FILE, --tls to trust the authorities of the system, or --skip-verify to trust any certificate"},
		{"bench push --protocol xmpp", `there is no protocol "xmpp"`},
		{"bench push --batch 1000", "targets of a call: 1000 is not possible; 1 to 100 is allowed"},
		{"bench fanout --connections 3 --rooms 2", "3 connections are too few for 2 rooms"},
		{"bench fanout --size 8", "bytes of a payload: 8 is not possible; 28 to 1048576 is allowed"},
		{"bench fanout --rate -1", "messages per second: -1 is not possible"},
		{"bench fanout --batch 2", "unknown flag: --batch"},
		{"bench request --protocol im", "the mode request needs the protocol gateway, or upstream"},
		{"bench idle --duration 0s", "the duration: 0s is not possible"},
		{"bench idle --addr nowhere", `--addr "nowhere" is not an address`},
		{"bench push --gateway :", `--gateway ":" is not an address`},
		{"bench idle --pid 999999999", "--pid 999999999: "},
		{"bench idle --cert x.pem", "--cert and --key belong together"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			got := execute(t, "", strings.Fields(tt.args)...)
			if got.code != exitUsage || !strings.Contains(got.err, tt.want) || !strings.Contains(got.err, "--help") {
				t.Errorf("exit %d, stderr %q; want exit %d and %q", got.code, got.err, exitUsage, tt.want)
			}
			if got.out != "" {
				t.Errorf("stdout %q", got.out)
			}
		})
	}
}

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--help"}, {"chat", "--help"}, {"push", "--help"}, {"batch", "--help"}, {"sessions", "--help"}, {"sessions", "list", "--help"}, {"sessions", "close", "--help"}, {"tail"}, {"tail", "--help"}, {"tail", "room", "--help"}, {"tail", "user", "--help"}, {"version", "--help"}, {"config", "--help"}, {"config", "check", "--help"}, {"config", "print", "--help"}, {"doctor", "--help"}, {"backup", "--help"}, {"restore", "--help"}, {"bench"}, {"bench", "--help"}, {"bench", "fanout", "--help"}, {"bench", "idle", "--help"}} {
		got := execute(t, "", args...)
		if got.code != exitOK || !strings.Contains(got.out, "Examples:") || got.err != "" {
			t.Errorf("%v: exit %d, stderr %q, stdout\n%s", args, got.code, got.err, got.out)
		}
	}
}

func TestHelpKeepsTheTokenSecret(t *testing.T) {
	t.Setenv("HERMOD_TOKEN", "hush")
	for _, cmd := range []string{"chat", "push", "tail room", "tail user"} {
		if got := execute(t, "", append(strings.Fields(cmd), "--help")...); strings.Contains(got.out, "hush") {
			t.Errorf("%s --help shows the token", cmd)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if got := execute(t, "", "version"); got.code != exitOK || !strings.HasPrefix(got.out, "hermodctl ") {
		t.Errorf("exit %d, %q", got.code, got.out)
	}
}

// gateway answers by the target's id and remembers what it was asked last.
type gateway struct {
	gatewayv1.UnimplementedGatewayServiceServer
	mu        sync.Mutex
	md        metadata.MD
	unicast   *gatewayv1.UnicastPushRequest
	broadcast *gatewayv1.BroadcastRequest
}

func (g *gateway) PushToClient(ctx context.Context, req *gatewayv1.UnicastPushRequest) (*gatewayv1.UnicastPushResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.md, _ = metadata.FromIncomingContext(ctx)
	g.unicast = req
	switch req.GetTargetId() {
	case "away":
		return &gatewayv1.UnicastPushResponse{Message: "no session", ErrorCode: "TARGET_OFFLINE"}, nil
	case "stranger":
		return nil, status.Error(codes.Unauthenticated, "a token is required")
	case "late":
		return nil, refusal(codes.Unavailable, "NOT_SERVING", "the node is about to stop")
	}
	return &gatewayv1.UnicastPushResponse{Success: true, Message: "delivered"}, nil
}

func (g *gateway) BatchPushToClients(_ context.Context, req *gatewayv1.BatchUnicastPushRequest) (*gatewayv1.BatchUnicastPushResponse, error) {
	resp := &gatewayv1.BatchUnicastPushResponse{}
	for _, t := range req.GetTargets() {
		resp.Results = append(resp.Results, &gatewayv1.UnicastResult{TargetType: t.GetTargetType(), TargetId: t.GetTargetId(), ErrorMessage: "nobody", ErrorCode: "TARGET_OFFLINE"})
	}
	return resp, nil
}

func (g *gateway) BroadcastToClients(_ context.Context, req *gatewayv1.BroadcastRequest) (*gatewayv1.BroadcastResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broadcast = req
	return &gatewayv1.BroadcastResponse{SentCount: 3}, nil
}

// sessions has none.
type sessions struct {
	gatewayv1.UnimplementedSessionServiceServer
}

func (sessions) CloseSession(context.Context, *gatewayv1.CloseSessionRequest) (*gatewayv1.CloseSessionResponse, error) {
	return nil, refusal(codes.NotFound, "TARGET_NOT_FOUND", "the session does not exist")
}

// refusal is an error as a node answers it.
func refusal(code codes.Code, reason, text string) error {
	st, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{Reason: reason})
	if err != nil {
		return err
	}
	return st.Err()
}

func serveGateway(t *testing.T) (*gateway, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{}
	server := grpc.NewServer()
	gatewayv1.RegisterGatewayServiceServer(server, g)
	gatewayv1.RegisterSessionServiceServer(server, sessions{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return g, listener.Addr().String()
}

func TestPush(t *testing.T) {
	t.Parallel()
	g, addr := serveGateway(t)
	got := execute(t, "", "push", "--openid", "alice", "--type", "mail", "--title", "T", "--content", "C", "--data", "D",
		"--store", "--wait", "2s", "--idempotency-key", "k", "--token", "secret", "--addr", addr)
	if want := (outcome{exitOK, "openid alice: delivered\n", ""}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice", MsgType: "mail", Title: "T", Content: "C", Data: []byte("D")}
	if !proto.Equal(g.unicast, want) {
		t.Errorf("asked for %v", g.unicast)
	}
	if g.md.Get("wait")[0] != "acknowledged" || g.md.Get("wait-timeout")[0] != "2s" || g.md.Get("idempotency-key")[0] != "k" {
		t.Errorf("metadata %v", g.md)
	}
	if g.md.Get("offline")[0] != "store" || g.md.Get("authorization")[0] != "Bearer secret" {
		t.Errorf("metadata %v", g.md)
	}
}

func TestPushTargets(t *testing.T) {
	t.Parallel()
	g, addr := serveGateway(t)
	if got := execute(t, "", "push", "--gid", "-7", "--addr", addr); got.code != exitOK || g.unicast.GetTargetType() != "gid" || g.unicast.GetTargetId() != "-7" {
		t.Errorf("gid: %+v, asked for %v", got, g.unicast)
	}
	if got := execute(t, "", "push", "--session", "s1", "--addr", addr); got.code != exitOK || g.unicast.GetTargetType() != "session" {
		t.Errorf("session: %+v, asked for %v", got, g.unicast)
	}
	if len(g.md.Get("offline"))+len(g.md.Get("wait"))+len(g.md.Get("idempotency-key")) > 0 {
		t.Error("stored unasked")
	}
	got := execute(t, "", "push", "--all", "--addr", addr)
	if got.code != exitOK || got.out != "all: sent to 3 sessions\n" || g.broadcast.GetMsgType() != "notice" {
		t.Errorf("all: %+v, asked for %v", got, g.broadcast)
	}
}

func TestPushDemo(t *testing.T) {
	t.Parallel()
	_, addr := serveGateway(t)
	got := execute(t, "", "push", "--demo", "--addr", addr)
	if got.code != exitOK || got.err != "" {
		t.Errorf("got %+v", got)
	}
	for _, want := range []string{"push to gid 12345\n    delivered\n", "0 of 3 succeeded", "session session-uuid: nobody", "sent to 3 connected sessions"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
}

func TestPushFailures(t *testing.T) {
	t.Parallel()
	_, addr := serveGateway(t)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"offline", []string{"--openid", "away", "--addr", addr}, "openid away: no session (TARGET_OFFLINE)"},
		{"no token", []string{"--openid", "stranger", "--addr", addr}, "give --token: a token is required (Unauthenticated)"},
		{"a node that stops", []string{"--openid", "late", "--addr", addr}, "push: the node is about to stop (NOT_SERVING)"},
		{"no node", []string{"--openid", "alice", "--addr", "127.0.0.1:1"}, "no node answers at 127.0.0.1:1"},
		{"no gateway for the demo", []string{"--demo", "--addr", "127.0.0.1:1"}, "start a node first, with 'make run' or 'hermod': no node answers at 127.0.0.1:1"},
		{"a key that is none", []string{"--openid", "alice", "--addr", addr, "--idempotency-key", "ключ"}, "printable ASCII"},
		{"no file", []string{"--openid", "alice", "--addr", addr, "--data", "@/does/not/exist"}, "/does/not/exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, "", append([]string{"push"}, tt.args...)...)
			if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, tt.want) || strings.Contains(got.err, "--help") {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
		})
	}
}

// TestSessionsThatAreNotClosed are named, with what the node says of them.
func TestSessionsThatAreNotClosed(t *testing.T) {
	t.Parallel()
	_, addr := serveGateway(t)
	got := execute(t, "", "sessions", "close", "s1", "", "--addr", addr)
	const says = "the session does not exist (TARGET_NOT_FOUND)\n"
	want := outcome{exitFailed, "", `"s1": ` + says + `"": ` + says + "hermodctl sessions close: 2 of 2 sessions were not closed\n"}
	if got != want {
		t.Errorf("got %+v", got)
	}
}

func TestPushData(t *testing.T) {
	t.Parallel()
	g, addr := serveGateway(t)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]string{"@" + file: "from a file\n", "@-": "from stdin", "@": "@", "plain": "plain"} {
		if got := execute(t, "from stdin", "push", "--session", "s", "--addr", addr, "--data", data); got.code != exitOK {
			t.Errorf("--data %s: %+v", data, got)
		}
		if string(g.unicast.GetData()) != want {
			t.Errorf("--data %s sent %q, want %q", data, g.unicast.GetData(), want)
		}
	}
}

func TestChatWithoutNode(t *testing.T) {
	t.Parallel()
	got := execute(t, "hello\n", "chat", "--user", "alice", "--room", "lobby", "--addr", "127.0.0.1:1")
	if got.code != exitFailed || !strings.Contains(got.err, "no node answers at 127.0.0.1:1") {
		t.Errorf("got %+v", got)
	}
}
