package sample

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/sdk/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask has the service answer, and writes the answer, or the error that is one, as "code message data".
func ask(t *testing.T, mux *upstream.Mux, r *upstream.Request) string {
	t.Helper()
	resp, err := mux.Serve(t.Context(), r)
	if no, ok := errors.AsType[*upstream.Error](err); ok {
		return fmt.Sprint(no.Code, " ", no.Message)
	}
	if err != nil {
		t.Fatalf("%s: %v", r.Action, err)
	}
	if resp.Code == 0 {
		resp.Code = 200
	}
	return strings.TrimSpace(fmt.Sprint(resp.Code, " ", resp.Message, " ", string(resp.Data)))
}

func service1(t *testing.T) *upstream.Mux {
	t.Helper()
	return newService(upstream.NewUnicastClient("127.0.0.1:1"), slog.New(slog.DiscardHandler))
}

func TestActions(t *testing.T) {
	t.Parallel()
	mux := service1(t)
	for _, test := range []struct{ action, data, params, want string }{
		{"session_info", "", "", `"openid":"10042","name":""`},
		{"hello", "", "name=Alice", "200 welcome, Alice"},
		{"LOGIN", "", "", "200 welcome, 10042"},
		{"auth", "", "name=", "200 welcome, 10042"},
		{"signin", "", "name=Bob", "200 welcome, Bob"},
		{"session_info", "", "", `"session":"S","gid":7,"zone":"003","client_seq":9,"openid":"10042","name":"Bob"`},
		{"user_list", "any data", "", `200  {"count":1,"users":[{"openid":"10042","name":"Bob"`},
		{"status", "any data", "", `200  {"status":"healthy","uptime":0,"users":1}`},
		{"echo", "ping", "", "200 success Echo: ping"},
		{"echo", "\xff\x00", "", "200 success Echo: \xff\x00"},
		{"echo", "", "", "200 success Echo:"},
		{"calculate", "", "operation=add a=1.5 b=2", "200 success 3.5"},
		{"calculate", "", "operation=subtract a=1 b=2", "200 success -1"},
		{"calculate", "", "operation=multiply a=1e3 b=-2", "200 success -2000"},
		{"calculate", "", "operation=divide a=1 b=8", "200 success 0.125"},
		{"calculate", "", "operation=divide a=1 b=0", "400 there is no result of divide 1 by 0"},
		{"calculate", "", "operation=multiply a=1e308 b=1e308", "400 there is no result"},
		{"calculate", "", "operation=power a=1 b=2", `400 operation "power" is not known; add, subtract`},
		{"calculate", "", "operation=add a=one b=2", `400 a is "one"; a number`},
		{"calculate", "", "operation=add a=1", `400 b is ""; a number`},
		{"calculate", "", "operation=add a=NaN b=1", "400 a is"},
		{"calculate", "", "", "400 operation"},
		{"logout", "", "", "200 goodbye, 10042"},
		{"user_list", "", "", `200  {"count":0,"users":[]}`},
		{"dance", "", "", `404 there is no action "dance"`},
	} {
		r := &upstream.Request{
			Session: "S", OpenID: "10042", Action: test.action, Data: []byte(test.data), Params: map[string]string{},
			Headers: map[string]string{"gid": "7", "zone": "003"}, ClientSeq: 9,
		}
		for _, pair := range strings.Fields(test.params) {
			key, value, _ := strings.Cut(pair, "=")
			r.Params[key] = value
		}
		if got := ask(t, mux, r); !strings.Contains(got, test.want) {
			t.Errorf("%s %s: %q, want %q", test.action, test.params, got, test.want)
		}
	}
}

func TestLoginsAreNumbered(t *testing.T) {
	t.Parallel()
	mux := service1(t)
	for openid, want := range map[string]string{"10042": "10042", "alice": "", "99999999999999999999": ""} {
		resp, err := mux.Serve(t.Context(), &upstream.Request{OpenID: openid, Action: "hello"})
		if err != nil || resp.Headers["gid"] != want {
			t.Errorf("%s: %v, %v; want gid %q", openid, resp, err, want)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	start := time.Now()
	resp, err := service1(t).Serve(t.Context(), &upstream.Request{Action: "time"})
	if err != nil {
		t.Fatal(err)
	}
	said, err := time.Parse(time.RFC3339Nano, string(resp.Data))
	if err != nil || said.Before(start.Add(-time.Second)) || said.After(time.Now().Add(time.Second)) {
		t.Errorf("%v, %v", said, err)
	}
}

// TestUsersAreBounded: whoever asked last is remembered, in a memory that does not grow.
func TestUsersAreBounded(t *testing.T) {
	t.Parallel()
	mux := service1(t)
	const more = 50
	for i := range maxUsers + more {
		ask(t, mux, &upstream.Request{OpenID: fmt.Sprint(i), Action: "hello"})
		ask(t, mux, &upstream.Request{OpenID: "0", Action: "echo"}) // keeps 0 in mind
	}
	resp, err := mux.Serve(t.Context(), &upstream.Request{OpenID: "0", Action: "user_list"})
	var got list
	if err := errors.Join(err, json.Unmarshal(resp.Data, &got)); err != nil {
		t.Fatal(err)
	}
	if got.Count != maxUsers || len(got.Users) != mostListed || got.Users[mostListed-1].OpenID != "0" {
		t.Errorf("%d users, %d of them listed: %v", got.Count, len(got.Users), got.Users)
	}
	if info := ask(t, mux, &upstream.Request{OpenID: "1", Action: "session_info"}); strings.Contains(info, `"name":"1"`) {
		t.Error("who was not heard of for longest is remembered")
	}
}

// TestPushesWithoutAGateway: the client is told to try again.
func TestPushesWithoutAGateway(t *testing.T) {
	t.Parallel()
	gateway := upstream.NewUnicastClient("127.0.0.1:1")
	if err := gateway.Connect(); err != nil {
		t.Fatal(err)
	}
	defer gateway.Close()
	mux := newService(gateway, slog.New(slog.DiscardHandler))
	for _, action := range []string{"broadcast", "before", "after"} {
		if _, err := mux.Serve(t.Context(), &upstream.Request{Session: "S", Action: action, ClientSeq: 1}); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", action, err)
		}
	}
}
