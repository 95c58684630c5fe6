package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/conf"
)

// call makes a request to the operations listener; headers are pairs.
func (b *bench) call(t *testing.T, ctx context.Context, method, path, body string, headers ...string) *http.Response { //nolint:revive // ctx is what differs; t comes first as everywhere
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, b.ops+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// rest makes a call and returns what it answers.
func (b *bench) rest(t *testing.T, method, path, body string, headers ...string) (code int, answer map[string]any) {
	t.Helper()
	resp := b.call(t, as(t, ""), method, path, body, headers...) //nolint:bodyclose // call does that
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s %s: %d %q: %v", method, path, resp.StatusCode, text, err)
	}
	return resp.StatusCode, answer
}

// open is a client of the gateway protocol that has logged in, or is about to.
func (b *bench) open(t *testing.T, openid string, login bool) (session string) {
	t.Helper()
	stream, err := gatewayv1.NewClientServiceClient(b.im).Connect(as(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(kind gatewayv1.RequestType, seq uint64, m proto.Message) (answer []byte) {
		payload, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&gatewayv1.ClientRequest{MsgId: 1, SeqId: seq, Type: kind, Payload: payload}); err != nil {
			t.Fatal(err)
		}
		push, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return push.GetPayload()
	}
	start := &gatewayv1.StartResponse{}
	answer := ask(gatewayv1.RequestType_REQUEST_START, 0, &gatewayv1.StartRequest{Openid: openid, AuthToken: "default-token"})
	if err := proto.Unmarshal(answer, start); err != nil || !start.GetSuccess() {
		t.Fatalf("%v, %v", start, err)
	}
	if login {
		ask(gatewayv1.RequestType_REQUEST_BUSINESS, 1, &gatewayv1.BusinessRequest{Action: "hello"})
	}
	return start.GetConnectionId()
}

// TestRESTPushes makes each call of the push API over HTTP.
func TestRESTPushes(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	session := b.open(t, "alice", true)
	b.open(t, "bob", false)
	for _, test := range []struct {
		path, body string
		headers    []string
		want       map[string]any
	}{
		{"/v1/push", `{"target_type":"openid","target_id":"alice","data":"AAH/"}`, nil, map[string]any{"success": true, "message": "delivered", "error_code": "", "outcome": "PUSH_OUTCOME_DELIVERED"}},
		{"/v1/push", `{"targetType":"session","targetId":"` + session + `"}`, nil, map[string]any{"success": true}},
		{"/v1/push", `{"target_type":"openid","target_id":"bob"}`, nil, map[string]any{"outcome": "PUSH_OUTCOME_QUEUED"}},
		{"/v1/push", `{"target_type":"openid","target_id":"carol"}`, nil, map[string]any{"success": false, "error_code": "TARGET_OFFLINE"}},
		{"/v1/push", `{"target_type":"openid","target_id":"carol"}`, []string{"Offline", "store", "Ttl", "1h"}, map[string]any{"success": true, "message": "queued"}},
		{"/v1/push", `{"target_type":"openid","target_id":"carol"}`, []string{"ttl", "never"}, map[string]any{"error_code": "INVALID_REQUEST"}},
		{"/v1/push/batch", `{"targets":[{"target_type":"openid","target_id":"alice"},{"target_type":"room"}]}`, nil, map[string]any{"success_count": 1.0, "total_count": 2.0}},
		{"/v1/broadcast", `{"msg_type":"news","metadata":{"k":"v"}}`, nil, map[string]any{"sent_count": 1.0, "skipped_count": 1.0, "total_count": 2.0}},
	} {
		code, got := b.rest(t, http.MethodPost, test.path, test.body, test.headers...)
		if code != http.StatusOK {
			t.Errorf("%s %s: %d %v", test.path, test.body, code, got)
		}
		for key, want := range test.want {
			if got[key] != want {
				t.Errorf("%s %s: %s is %v, want %v", test.path, test.body, key, got[key], want)
			}
		}
	}
	if n := b.metric(t, "hermod_http_requests_total", "200", "/v1/push"); n != 6 {
		t.Errorf("%v pushes are counted", n)
	}
}

// TestRESTBroadcastProgress reads a line of JSON for each report, and ends the broadcast by going away.
func TestRESTBroadcastProgress(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	for i := range 3 {
		b.open(t, fmt.Sprint("user ", i), true)
	}
	resp := b.call(t, as(t, ""), http.MethodPost, "/v1/broadcast/paced", `{"clients_per_second":1000}`) //nolint:bodyclose // call does that
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "application/x-ndjson" {
		t.Errorf("%d %s", resp.StatusCode, kind)
	}
	var lines []map[string]any
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", scan.Text(), err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 2 || lines[0]["remaining_count"] != 3.0 || lines[1]["sent_count"] != 3.0 || lines[1]["done"] != true {
		t.Errorf("%v", lines)
	}

	ctx, cancel := context.WithCancel(as(t, ""))
	resp = b.call(t, ctx, http.MethodPost, "/v1/broadcast/paced", `{"clients_per_second":1}`, "Idempotency-Key", "k") //nolint:bodyclose // call does that
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	resp = b.call(t, as(t, ""), http.MethodPost, "/v1/broadcast/paced", `{"clients_per_second":1}`, "Idempotency-Key", "k") //nolint:bodyclose // call does that
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), `"done":true`) || strings.Contains(string(text), `"remaining_count":0`) {
		t.Errorf("%q, %v", text, err)
	}

	resp = b.call(t, as(t, ""), http.MethodPost, "/v1/broadcast/paced", `{"clients_per_second":1}`) //nolint:bodyclose // call does that
	lineReader := bufio.NewReader(resp.Body)
	if _, err := lineReader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	b.pushes.Stop()
	rest, err := io.ReadAll(lineReader)
	if err != nil || !strings.Contains(string(rest), `{"error":{"code":503,"reason":"NOT_SERVING"`) {
		t.Errorf("%q, %v", rest, err)
	}
	if code, got := b.rest(t, http.MethodPost, "/v1/broadcast/paced", `{"clients_per_second":1}`); code != 503 || got["reason"] != "NOT_SERVING" {
		t.Errorf("%d %v", code, got)
	}
}

// TestRESTSessions lists sessions by what they are, page by page, and closes one.
func TestRESTSessions(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	var ids []string
	for i := range 3 {
		ids = append(ids, b.open(t, fmt.Sprint("user", i), i < 2))
	}
	slices.Sort(ids)
	list := func(query string) (found []string, answer map[string]any) {
		code, answer := b.rest(t, http.MethodGet, "/v1/sessions"+query, "")
		if code != http.StatusOK {
			t.Fatalf("%s: %d %v", query, code, answer)
		}
		for _, s := range answer["sessions"].([]any) {
			found = append(found, s.(map[string]any)["session_id"].(string))
		}
		return found, answer
	}
	if got, _ := list(""); !slices.Equal(got, ids) {
		t.Errorf("all: %v, want %v", got, ids)
	}
	first, answer := list("?page_size=2")
	rest, last := list("?page_size=2&page_token=" + answer["next_page_token"].(string))
	if !slices.Equal(append(first, rest...), ids) || last["next_page_token"] != "" || answer["total_count"] != 3.0 {
		t.Errorf("pages %v and %v", first, rest)
	}
	for query, want := range map[string]int{"?openid=user1": 1, "?openid=nobody": 0, "?gid=7": 0, "?state=inited": 1, "?state=active": 2, "?state=detached": 0} {
		if got, _ := list(query); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	code, one := b.rest(t, http.MethodGet, "/v1/sessions/"+ids[0], "")
	if code != http.StatusOK || one["transport"] != "grpc" || one["protocol"] != "gateway.v1" || one["remote_addr"] == "" || one["last_sent_seq"] == "0" {
		t.Errorf("%d %v", code, one)
	}
	code, closed := b.rest(t, http.MethodDelete, "/v1/sessions/"+ids[0]+"?code=4600&reason=banned", "")
	if code != http.StatusOK || closed["session_id"] != ids[0] {
		t.Errorf("%d %v", code, closed)
	}
	if code, gone := b.rest(t, http.MethodGet, "/v1/sessions/"+ids[0], ""); code != http.StatusNotFound || gone["reason"] != "TARGET_NOT_FOUND" {
		t.Errorf("%d %v", code, gone)
	}
}

// TestRESTRefuses: what is wrong has a status, a reason and a text.
func TestRESTRefuses(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, test := range []struct {
		method, path, body string
		headers            []string
		code               int
		reason             string
	}{
		{"GET", "/v1/push", "", nil, 405, "METHOD_NOT_ALLOWED"},
		{"PATCH", "/v1/sessions/x", "", nil, 405, "METHOD_NOT_ALLOWED"},
		{"GET", "/v1/elsewhere", "", nil, 404, "NO_SUCH_PAGE"},
		{"POST", "/v1/push", "{}", []string{"Content-Type", "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"POST", "/v1/push", "", nil, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"POST", "/v1/push", "{", nil, 400, "MALFORMED"},
		{"POST", "/v1/push", `{"target":"alice"}`, nil, 400, "MALFORMED"},
		{"POST", "/v1/push", `{"data":"***"}`, nil, 400, "MALFORMED"},
		{"POST", "/v1/push?target_type=openid", `{}`, nil, 400, "MALFORMED"},
		{"POST", "/v1/push", strings.Repeat(" ", 32<<20), nil, 413, "TOO_LARGE"},
		{"POST", "/v1/push/batch", `{"targets":[{},{},{},{},{},{},{},{},{},{},{}]}`, nil, 400, "TOO_MANY_TARGETS"},
		{"POST", "/v1/push/batch", `{}`, []string{"Wait", "written"}, 400, "INVALID_REQUEST"},
		{"POST", "/v1/broadcast", `{}`, []string{"Wait", "acknowledged"}, 400, "INVALID_REQUEST"},
		{"POST", "/v1/broadcast/paced", `{}`, nil, 400, "INVALID_REQUEST"},
		{"GET", "/v1/sessions?user=alice", "", nil, 400, "MALFORMED"},
		{"GET", "/v1/sessions?gid=seven", "", nil, 400, "MALFORMED"},
		{"GET", "/v1/sessions?openid=a&openid=b", "", nil, 400, "MALFORMED"},
		{"GET", "/v1/sessions?state=alive", "", nil, 400, "INVALID_ARGUMENT"},
		{"GET", "/v1/sessions?page_size=1001", "", nil, 400, "INVALID_ARGUMENT"},
		{"GET", "/v1/sessions?page_token=%25", "", nil, 400, "INVALID_ARGUMENT"},
		{"DELETE", "/v1/sessions/x", "", nil, 404, "TARGET_NOT_FOUND"},
		{"DELETE", "/v1/sessions/x?code=3000", "", nil, 400, "INVALID_ARGUMENT"},
		{"DELETE", "/v1/sessions/x?session_id=y", "", nil, 400, "MALFORMED"},
	} {
		code, got := b.rest(t, test.method, test.path, test.body, test.headers...)
		if code != test.code || got["reason"] != test.reason || got["text"] == "" {
			t.Errorf("%s %s %.40s: %d %v, want %d %s", test.method, test.path, test.body, code, got, test.code, test.reason)
		}
	}
}

// TestServicesProveThemselves: gRPC and HTTP ask for the same, streams and sessions included.
func TestServicesProveThemselves(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-the-services"
	b := start(t, conf.Override{Path: "server.quic.addr", Value: ""}, conf.Override{Path: "auth.mode", Value: "trusted"}, conf.Override{Path: "auth.service_token", Value: token})
	b.ready.SetServing(true)
	b.open(t, "alice", true)
	for _, test := range []struct {
		authorization string
		code          int
		status        codes.Code
	}{{"", 401, codes.Unauthenticated}, {"Bearer wrong", 401, codes.Unauthenticated}, {"Bearer " + token, 200, codes.OK}} {
		var headers []string
		if test.authorization != "" {
			headers = []string{"Authorization", test.authorization}
		}
		for _, call := range [][3]string{
			{"POST", "/v1/push", `{"target_type":"openid","target_id":"alice"}`},
			{"POST", "/v1/push/batch", `{}`},
			{"POST", "/v1/broadcast", `{}`},
			{"POST", "/v1/broadcast/paced", `{"clients_per_second":10}`},
			{"GET", "/v1/sessions", ""},
		} {
			resp := b.call(t, as(t, ""), call[0], call[1], call[2], headers...) //nolint:bodyclose // call does that
			if resp.StatusCode != test.code {
				t.Errorf("%s with %q: %d", call[1], test.authorization, resp.StatusCode)
			}
		}
		_, stats := b.rest(t, "GET", "/stats", "", headers...)
		if listed := len(stats["sessions"].([]any)) == 1; listed != (test.code == 200) || stats["total_sessions"] != 1.0 {
			t.Errorf("/stats with %q: %v", test.authorization, stats)
		}
		ctx := as(t, "")
		if test.authorization != "" {
			ctx = as(t, "", "authorization", test.authorization)
		}
		_, err := gatewayv1.NewSessionServiceClient(b.gateway).ListSessions(ctx, &gatewayv1.ListSessionsRequest{})
		if status.Code(err) != test.status {
			t.Errorf("ListSessions with %q: %v", test.authorization, err)
		}
		for _, name := range []string{gatewayv1.GatewayService_ServiceDesc.ServiceName, oldName} {
			stream, err := b.gateway.NewStream(ctx, &gatewayv1.GatewayService_ServiceDesc.Streams[0], "/"+name+"/PaceBroadcast")
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(&gatewayv1.PaceBroadcastRequest{ClientsPerSecond: 10}); err != nil {
				t.Fatal(err)
			}
			if err := stream.RecvMsg(&gatewayv1.BroadcastProgress{}); status.Code(err) != test.status {
				t.Errorf("%s/PaceBroadcast with %q: %v", name, test.authorization, err)
			}
		}
	}
}

// TestStreamsAreDecodedStrictly: what a service gets wrong is its own fault.
func TestStreamsAreDecodedStrictly(t *testing.T) {
	t.Parallel()
	b := start(t)
	stream, err := gatewayv1.NewGatewayServiceClient(b.gateway).PaceBroadcast(as(t, ""), &gatewayv1.PaceBroadcastRequest{Title: "a", ClientsPerSecond: 1})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := stream.Recv(); err != nil || first.GetTotalCount() != 0 {
		t.Errorf("%v, %v", first, err)
	}
	raw, err := b.gateway.NewStream(as(t, ""), &gatewayv1.GatewayService_ServiceDesc.Streams[0], gatewayv1.GatewayService_PaceBroadcast_FullMethodName, grpc.ForceCodec(bytesCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.SendMsg([]byte{0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, raw.RecvMsg(new([]byte)), codes.InvalidArgument, "MALFORMED")
}

// bytesCodec sends what it is given.
type bytesCodec struct{}

func (bytesCodec) Name() string                       { return "proto" }
func (bytesCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }

// TestMonitors: pages in the form that monitors know. Clients' listener names nobody.
func TestMonitors(t *testing.T) {
	t.Parallel()
	b := start(t)
	ops := b.ops
	for _, serving := range []bool{false, true} {
		b.ready.SetServing(serving)
		for _, b.ops = range []string{ops, b.http} {
			code, got := b.rest(t, "GET", "/health", "")
			if want := map[bool]string{true: "healthy", false: "unhealthy"}[serving]; got["status"] != want || (code == 200) != serving {
				t.Errorf("%s: %d %v", b.ops, code, got)
			}
			if got["active_connections"] != 0.0 || got["timestamp"].(float64) < 1e9 {
				t.Errorf("%s: %v", b.ops, got)
			}
		}
	}
	id := b.open(t, "alice", true)
	b.ops = b.http
	_, got := b.rest(t, "GET", "/stats", "")
	if got["total_sessions"] != 1.0 || len(got["sessions"].([]any)) != 0 {
		t.Errorf("clients see %v", got)
	}
	b.ops = ops
	_, got = b.rest(t, "GET", "/stats", "")
	s := got["sessions"].([]any)[0].(map[string]any)
	queue := s["ordered_queue"].(map[string]any)
	for _, key := range []string{"create_time", "last_activity", "pending_count", "remote_addr"} {
		if s[key] == nil {
			t.Errorf("no %s in %v", key, s)
		}
	}
	for _, key := range []string{"queue_size", "pending_count", "max_queue_size", "next_expected_seq", "last_sent_seq", "last_acked_seq", "stopped"} {
		if queue[key] == nil {
			t.Errorf("no %s in %v", key, queue)
		}
	}
	if s["session_id"] != id || queue["last_sent_seq"] != 2.0 || queue["next_expected_seq"] != 3.0 {
		t.Errorf("services see %v", got)
	}
	if resp := b.call(t, as(t, ""), "POST", "/stats", "{}"); resp.StatusCode != http.StatusMethodNotAllowed { //nolint:bodyclose // call does that
		t.Errorf("POST: %d", resp.StatusCode)
	}
}
