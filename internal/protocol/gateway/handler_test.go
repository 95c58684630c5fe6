package gateway_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/frame"
)

const (
	heartbeat = gatewayv1.RequestType_REQUEST_HEARTBEAT
	businessT = gatewayv1.RequestType_REQUEST_BUSINESS
	stop      = gatewayv1.RequestType_REQUEST_STOP
)

var formats = map[string]*frame.Format{"protobuf": gateway.Proto, "JSON": gateway.JSON}

// TestASession is everything that a client of the published system does, in both formats.
func TestASession(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			run(t, config, biz.Builtin{}, func(t *testing.T, b *bench) {
				c := b.dial(f)
				id, _, headers := c.started(&gatewayv1.StartRequest{Openid: "10001", AuthToken: "default-token"})
				if headers["resumed"] != "false" || headers["resync"] != "" {
					t.Errorf("headers %v", headers)
				}
				c.ask("echo", "early")
				c.want("2 error 401 NOT_LOGGED_IN")
				c.ask("HELLO", "", "zone", "003")
				p := c.one()
				if p.GetHeaders()["gid"] != "10001" || p.GetHeaders()["zone"] != "003" || p.GetMsgId() != c.msgID {
					t.Errorf("hello was answered with %v", p)
				}
				c.ask("signin", "")
				c.want("4 200 already logged in|")
				c.ask("echo", "hi")
				c.want("5 200 success|Echo: hi")
				c.ask("nonsense", "")
				if p := c.one(); body(c, p, &gatewayv1.BusinessResponse{}).GetCode() != 404 {
					t.Errorf("an unknown action: %v", c.show(p))
				}
				c.send(heartbeat, 0, &gatewayv1.HeartbeatRequest{ClientTimestamp: 77})
				c.want("7 heartbeat 77")
				for i, target := range [][2]string{{"session", id}, {"openid", "10001"}, {"gid", "10001"}} {
					if r := b.push(target[0], target[1], "title"); r.Err != nil || r.Outcome != biz.OutcomeDelivered {
						t.Errorf("%v: %+v", target, r)
					}
					p := c.one()
					if p.GetMsgId() != 0 || p.GetHeaders()["content"] != "c" || c.show(p) != fmt.Sprintf("%d 200 [m] title|d", 8+i) {
						t.Errorf("%v: %v", target, p)
					}
				}
				c.send(stop, 0, &gatewayv1.StopRequest{Reason: gatewayv1.StopRequest_USER_LOGOUT})
				c.want()
				if err := <-c.result; err != nil || c.closed() != 4003 {
					t.Errorf("after STOP: %v, code %d", err, c.closed())
				}
				if r := b.push("session", id, "late"); r.Err == nil {
					t.Errorf("a push after STOP: %+v", r)
				}
			})
		})
	}
}

func TestRefusals(t *testing.T) {
	run(t, config, biz.Builtin{}, func(_ *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		c.send(heartbeat, 0, &gatewayv1.HeartbeatRequest{})
		c.want("1 error 403 NOT_STARTED")
		c.send(gatewayv1.RequestType_REQUEST_START, 1, &gatewayv1.StartRequest{Openid: "a"})
		c.want("2 error 400 INVALID_SEQUENCE")
		c.start(&gatewayv1.StartRequest{})
		c.want("3 error 400 INVALID_ARGUMENT")
		c.start(&gatewayv1.StartRequest{Openid: "a", AuthToken: "bad"})
		c.want("4 refused 401 UNAUTHENTICATED")
		c.ack(4) // has no answer
		c.raw([]byte{0xff})
		c.want("5 error 400 MALFORMED")
		c.login(&gatewayv1.StartRequest{Openid: "a"})

		c.start(&gatewayv1.StartRequest{Openid: "a"})
		c.want("3 error 403 ALREADY_STARTED")
		c.send(heartbeat, 4, &gatewayv1.HeartbeatRequest{})
		c.want("4 error 400 INVALID_SEQUENCE")
		c.send(99, 0, &gatewayv1.HeartbeatRequest{})
		c.want("5 error 400 UNKNOWN_TYPE")
		c.raw([]byte{0xff})
		c.want("6 error 400 MALFORMED")
		c.raw(c.marshal(&gatewayv1.ClientRequest{Type: businessT, SeqId: 2, Openid: "b"}))
		c.want("7 error 403 FOREIGN_USER")
		c.seq = 2 // a request that was refused has used its number
		c.ask("echo", "x")
		c.want("8 200 success|Echo: x")
		for _, seq := range []uint64{0, 1, 3, 5} {
			c.send(businessT, seq, &gatewayv1.BusinessRequest{Action: "echo"})
		}
		c.want("9 error 400 INVALID_SEQUENCE", "10 error 400 INVALID_SEQUENCE", "11 error 400 INVALID_SEQUENCE", "12 error 400 INVALID_SEQUENCE")
		c.ask("echo", "y") // what was expected is expected still
		c.want("13 200 success|Echo: y")
		c.lose()
		<-c.result
	})
}

func TestAConnectionThatDoesNotStart(t *testing.T) {
	run(t, config, biz.Builtin{}, func(t *testing.T, b *bench) {
		silent, noisy := b.dial(gateway.Proto), b.dial(gateway.Proto)
		for range 16 {
			noisy.raw([]byte{0xff})
		}
		if code := noisy.closed(); code != 4002 {
			t.Errorf("sixteen frames that are nothing: %d", code)
		}
		time.Sleep(59 * time.Second)
		if code := silent.closed(); code != 0 {
			t.Errorf("closed after 59 s: %d", code)
		}
		time.Sleep(2 * time.Second)
		if code := silent.closed(); code != 3005 {
			t.Errorf("after a minute: %d", code)
		}
		<-silent.result
		<-noisy.result
	})
}

// TestPushesBeforeTheLogin wait, and follow its answer in their order, behind what is kept for the user.
func TestPushesBeforeTheLogin(t *testing.T) {
	run(t, config, biz.Builtin{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _, _ := c.started(&gatewayv1.StartRequest{Openid: "7"})
		for _, title := range []string{"one", "two"} {
			if r := b.push("session", id, title); r.Err != nil || r.Outcome != biz.OutcomeQueued {
				t.Errorf("a push before the login: %+v", r)
			}
		}
		stored := b.pushes.Push(t.Context(), biz.Target{Type: "openid", ID: "7"}, &biz.Push{MsgType: "m", Title: "kept"}, biz.PushOptions{StoreOffline: true})
		if stored.Outcome != biz.OutcomeQueued {
			t.Errorf("a push to be stored: %+v", stored)
		}
		if r, err := b.pushes.Broadcast(t.Context(), &biz.Push{MsgType: "m", Title: "all"}, biz.PushOptions{}); err != nil || r.Sent != 0 {
			t.Errorf("a broadcast before the login: %+v, %v", r, err)
		}
		c.want()
		c.ask("login", "")
		c.want("2 200 welcome, 7|", "3 200 [m] kept|", "4 200 [m] one|d", "5 200 [m] two|d")
		c.ack(5)
		if b.inbox.acked != 1 {
			t.Error("the inbox was not told of what the client has")
		}
		c.drop()
		<-c.result
	})
}

func TestDevices(t *testing.T) {
	device := func(b *bench, id, class string) *client {
		c := b.dial(gateway.Proto)
		c.login(&gatewayv1.StartRequest{Openid: "7", DeviceId: id, DeviceClass: class})
		time.Sleep(time.Second)
		return c
	}
	for policy, want := range map[gateway.Devices][4]uint32{
		gateway.Replace: {4004, 4004, 4004, 0},
		gateway.Allow:   {4004, 4004, 0, 0},
		gateway.Class:   {0, 4004, 4004, 0},
	} {
		t.Run(string(policy), func(t *testing.T) {
			cfg := config
			cfg.Devices = policy
			run(t, cfg, biz.Builtin{}, func(t *testing.T, b *bench) {
				all := []*client{device(b, "a", "desktop"), device(b, "b", "phone"), device(b, "c", "phone"), device(b, "d", "phone")}
				for i, c := range all {
					if code := c.closed(); code != want[i] {
						t.Errorf("device %d: %d, want %d", i, code, want[i])
					}
				}
				again := device(b, "d", "tablet")
				if code := all[3].closed(); code != 4004 {
					t.Errorf("the device's own older session: %d", code)
				}
				for _, c := range append(all, again) {
					c.drop()
					<-c.result
				}
			})
		})
	}
}

// slow answers after a while, in the order of the requests.
type slow struct{ biz.Builtin }

func (s slow) Process(ctx context.Context, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	switch r.Action {
	case "panic":
		panic("as told")
	case "fail":
		return nil, fmt.Errorf("a secret")
	case "wait":
		select {
		case <-time.After(time.Duration(len(r.Data)) * 10 * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return s.Builtin.Process(ctx, &biz.UpstreamRequest{Action: "echo", Data: r.Data})
	case "refused":
		return &biz.UpstreamResponse{Code: 403}, nil
	}
	return s.Builtin.Process(ctx, r)
}

func TestSlowServices(t *testing.T) {
	run(t, config, slow{}, func(_ *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("wait", "12")
		synctest.Wait()
		c.ask("wait", "1")
		c.ask("panic", "")
		c.ask("fail", "")
		c.ask("echo", "one too many")
		c.send(heartbeat, 0, &gatewayv1.HeartbeatRequest{ClientTimestamp: 1})
		c.want("3 error 503 TOO_MANY_REQUESTS", "4 heartbeat 1")
		c.drop() // the answers wait for the client
		time.Sleep(40 * time.Second)
		back := b.dial(gateway.Proto)
		back.seq = c.seq
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 4})
		back.want("5 200 success|Echo: 12", "6 200 success|Echo: 1", "7 error 500 PANIC", "8 error 500 INTERNAL", "9 started")
		back.ask("wait", "1234567")
		time.Sleep(61 * time.Second)
		back.take()
		back.drop()
	})
}

func TestLoginOnly(t *testing.T) {
	run(t, config, biz.LoginOnly{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("echo", "x")
		if p := c.one(); body(c, p, &gatewayv1.BusinessResponse{}).GetCode() != 404 {
			t.Errorf("got %s", c.show(p))
		}
		if r := b.push("gid", "7", "x"); r.Outcome != biz.OutcomeOffline {
			t.Errorf("a gid was invented: %+v", r)
		}
		c.send(heartbeat, 0, &gatewayv1.HeartbeatRequest{})
		c.take()
		c.drop()
	})
}

// TestTheOlderNumbering of StartRequest: a number in field 3.
func TestTheOlderNumbering(t *testing.T) {
	run(t, config, biz.Builtin{}, func(_ *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.drop()
		old := func(token string, last uint64) []byte {
			start := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "7")
			start = protowire.AppendString(protowire.AppendTag(start, 2, protowire.BytesType), token)
			start = protowire.AppendVarint(protowire.AppendTag(start, 3, protowire.VarintType), last)
			return c.marshal(&gatewayv1.ClientRequest{MsgId: 1, Type: gatewayv1.RequestType_REQUEST_START, Payload: start})
		}
		back := b.dial(gateway.Proto)
		back.raw(old("bad", 2))
		back.want("1 refused 401 UNAUTHENTICATED")
		back.raw(old("default-token", 2))
		back.want("3 started")
		back.drop()
	})
}
