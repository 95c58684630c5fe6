package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// loggedIn is a client that is let in.
func loggedIn(t *testing.T, n *Node, openid string) *Player {
	t.Helper()
	p := Dialed(t, n.IM, openid, nil)
	p.Begin(&gatewayv1.StartRequest{})
	p.Ask("hello", "")
	return p
}

// answeredBy returns the message of an answer, or what the error is.
func answeredBy(t *testing.T, push *gatewayv1.ServerPush) string {
	t.Helper()
	if push.GetType() == gatewayv1.PushType_PUSH_ERROR {
		e := read(t, push, &gatewayv1.ErrorMessage{})
		return fmt.Sprint(e.GetErrorCode(), " ", e.GetDetail())
	}
	return read(t, push, &gatewayv1.BusinessResponse{}).GetMessage()
}

func register(t *testing.T, g gatewayv1.GatewayServiceClient, r *gatewayv1.UpstreamRegisterRequest) {
	t.Helper()
	if resp, err := g.RegisterUpstream(within(t), r); err != nil || !resp.GetSuccess() {
		t.Fatalf("not registered: %v, %v", resp, err)
	}
}

// TestServicesThatRegister go before the built-in one while their lease lasts, or until they say that
// they go; a node that was restarted knows them again when they renew.
func TestServicesThatRegister(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	got := make(chan *upstreamv1.UpstreamRequest, 10)
	b := Serve(t, func(_ context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
		select {
		case got <- r:
		default:
		}
		return &upstreamv1.UpstreamResponse{Code: 200, Message: "the service", Headers: map[string]string{"gid": "77", "zone": "003"}}, nil
	})
	lease := func(seconds int32) *gatewayv1.UpstreamRegisterRequest {
		return &gatewayv1.UpstreamRegisterRequest{Address: b.Addr, ServiceName: "game", LeaseSeconds: seconds}
	}
	register(t, g, lease(300))
	p := Dialed(t, n.IM, "10001", nil)
	p.Begin(&gatewayv1.StartRequest{})
	hello := p.Ask("hello", "")
	if by := answeredBy(t, hello); by != "the service" || hello.GetHeaders()["gid"] != "77" {
		t.Errorf("hello was answered by %s with %v", by, hello.GetHeaders())
	}
	<-got
	p.Ask("play", "x")
	if r := <-got; r.GetOpenid() != "10001" || r.GetAction() != "play" || string(r.GetData()) != "x" || r.GetClientSeqId() != 2 ||
		r.GetSessionId() != p.Session || r.GetHeaders()["gid"] != "77" || r.GetHeaders()["zone"] != "003" {
		t.Errorf("the service got %v", r)
	}
	if resp := tell(t, g, "gid", "77", "to the gid"); !resp.GetSuccess() {
		t.Errorf("a push to the gid that the service gave: %v", resp)
	}
	p.Next()
	register(t, g, lease(5))
	n.eventually("the lease ends", func() bool { return answeredBy(t, p.Ask("echo", "")) == "success" })

	n.Restart()
	register(t, g, lease(300))
	again := loggedIn(t, n, "10002")
	if by := answeredBy(t, again.Ask("play", "")); by != "the service" {
		t.Errorf("after a restart of the node %s answers", by)
	}
	if _, err := g.DeregisterUpstream(within(t), &gatewayv1.UpstreamDeregisterRequest{Address: b.Addr, ServiceName: "game"}); err != nil {
		t.Fatal(err)
	}
	if by := answeredBy(t, again.Ask("echo", "")); by != "success" {
		t.Errorf("after it has gone %s answers", by)
	}
}

// TestServicesOfZones: as older services register, each for the clients of its zone.
func TestServicesOfZones(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	for _, zone := range []string{"001", "006"} {
		register(t, g, &gatewayv1.UpstreamRegisterRequest{Address: Serve(t, says(zone)).Addr, ZoneId: zone})
	}
	for openid, want := range map[string]string{"10000": "001", "24999": "001", "85000": "006", "99999": "006"} {
		if by := answeredBy(t, loggedIn(t, n, openid).Ask("x", "")); by != want {
			t.Errorf("%s is answered by %s", openid, by)
		}
	}
}

// TestServicesDoNotDisturbEachOther: one hangs, one crashes in a loop and one is slow. The clients of
// another one notice nothing; every request ends in an answer or in an error of the 5xx class before
// its deadline; what is bound to a request that fails comes around its error.
func TestServicesDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	const deadline = 10 * time.Second
	works, slow := Serve(t, says("works")), Serve(t, func(ctx context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
		time.Sleep(300 * time.Millisecond)
		return says("slow")(ctx, r)
	})
	n := Prepare(t, "")
	pushes := n.Pushes()
	var hung atomic.Int64
	hangs := Serve(t, func(ctx context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
		hung.Add(1)
		for _, hint := range []gatewayv1.NotifySyncHint{gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE, gatewayv1.NotifySyncHint_NSH_BEFORE_RESPONSE} {
			resp, err := pushes.PushToClient(ctx, &gatewayv1.UnicastPushRequest{
				TargetType: "session", TargetId: r.GetSessionId(), MsgType: "m", Title: hint.String(), SyncHint: hint, BindClientSeqId: r.GetClientSeqId(),
			})
			if err != nil || !resp.GetSuccess() {
				t.Errorf("a push with %v: %v, %v", hint, resp, err)
			}
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	crashes := Serve(t, func(ctx context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
		time.Sleep(20 * time.Millisecond)
		return says("crashes")(ctx, r)
	})
	n.Configure(fmt.Sprintf(`
gateway: {request_timeout: %s}
upstream:
  breaker: {failures: 3, open: 1s}
  routes:
    - {action: "works.", service: works}
    - {action: "hangs.", service: hangs}
    - {action: "crashes.", service: crashes}
    - {action: "slow.", service: slow}
  services:
    - {name: works, targets: ["%s"]}
    - {name: hangs, targets: ["%s"], timeout: 4s}
    - {name: crashes, targets: ["%s"]}
    - {name: slow, targets: ["%s"]}
`, deadline, works.Addr, hangs.Addr, crashes.Addr, slow.Addr))
	n.Boot()

	stop := make(chan struct{})
	var loop, clients, others sync.WaitGroup
	loop.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond):
			}
			crashes.Stop()
			select {
			case <-stop:
			case <-time.After(100 * time.Millisecond):
			}
			crashes.Start()
		}
	})
	var answered, failed atomic.Int64
	const each = 3
	for i := range each {
		hanging := loggedIn(t, n, fmt.Sprint(20000+i))
		clients.Go(func() {
			for range 3 {
				if !asksOneThatHangs(t, hanging, deadline) {
					return
				}
			}
		})
		crashing := loggedIn(t, n, fmt.Sprint(30000+i))
		clients.Go(func() {
			end := time.Now().Add(patience)
			for got := 0; got < 10 && time.Now().Before(end); {
				switch by := answeredBy(t, crashing.Ask("crashes.x", "")); by {
				case "crashes":
					got++
					answered.Add(1)
				case "503 UPSTREAM_UNAVAILABLE", "503 UPSTREAM_TIMEOUT", "500 UPSTREAM_FAILED":
					failed.Add(1)
					time.Sleep(20 * time.Millisecond) // as a client that waits before it tries again
				default:
					t.Errorf("a service that crashes: %s", by)
				}
			}
		})
		slowly := loggedIn(t, n, fmt.Sprint(40000+i))
		clients.Go(func() {
			for range 5 {
				if by := answeredBy(t, slowly.Ask("slow.x", "")); by != "slow" {
					t.Errorf("a service that is slow: %s", by)
				}
			}
		})
		happy := loggedIn(t, n, fmt.Sprint(50000+i))
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					if n == 0 {
						t.Error("a client of the service that works was never answered")
					}
					return
				default:
				}
				if by := answeredBy(t, happy.Ask("works.x", "")); by != "works" {
					t.Errorf("a service that works: %s", by)
				}
				time.Sleep(time.Millisecond) // leaves the machine to the others
			}
		})
	}
	clients.Wait()
	close(stop)
	others.Wait()
	loop.Wait()
	if hung.Load() == 0 || answered.Load() == 0 {
		t.Errorf("%d requests hung, %d of %d were answered between crashes", hung.Load(), answered.Load(), answered.Load()+failed.Load())
	}
	if got := n.Metric("hermod_upstream_requests_total", `service="works"`, `outcome="answered"`); got < each || got != n.Metric("hermod_upstream_requests_total", `service="works"`) {
		t.Errorf("%v requests of the service that works were answered, of %v", got, n.Metric("hermod_upstream_requests_total", `service="works"`))
	}
}

// asksOneThatHangs tells whether everything was as it should be.
func asksOneThatHangs(t *testing.T, p *Player, deadline time.Duration) bool {
	t.Helper()
	p.seq++
	id := p.Say(gatewayv1.RequestType_REQUEST_BUSINESS, p.seq, &gatewayv1.BusinessRequest{Action: "hangs.x"})
	asked := time.Now()
	first := p.Next()
	if first.GetMsgId() == id { // it is given up for the moment, and nobody was asked
		if by := answeredBy(t, first); by != "503 UPSTREAM_UNAVAILABLE" || first.GetHeaders()["retry-after-ms"] == "" {
			t.Errorf("a service that was given up: %s, %v", by, first.GetHeaders())
			return false
		}
		return true
	}
	wantData(t, first, "[m] NSH_BEFORE_RESPONSE", "")
	answer := p.Next()
	if by := answeredBy(t, answer); answer.GetMsgId() != id || by != "503 UPSTREAM_TIMEOUT" {
		t.Errorf("a service that hangs: %s in %v", by, answer)
		return false
	}
	if took := time.Since(asked); took > deadline+patience/2 {
		t.Errorf("it took %v", took)
	}
	wantData(t, p.Next(), "[m] NSH_AFTER_RESPONSE", "")
	return true
}

// TestServicesThatARegistryHas: discovery:/// finds them, as they come and go.
func TestServicesThatARegistryHas(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"etcd", "consul"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := registryKinds[kind].start(t)
			register := enlist(t, kind, s)
			first, second := Serve(t, says("first")), Serve(t, says("second"))
			delist := register("shop", "http://"+first.Addr, "grpc://"+first.Addr)
			n := Start(t, registered(kind, s)+`
upstream:
  routes: [{action: "shop.", service: shop}]
  services: [{name: shop, targets: ["discovery:///shop"]}]
`)
			p := loggedIn(t, n, "10001")
			await := func(want string) {
				t.Helper()
				n.eventually(want+" answers", func() bool { return answeredBy(t, p.Ask("shop.list", "")) == want })
			}
			await("first")
			register("shop", "http://"+second.Addr, "grpc://"+second.Addr)
			await("second")
			if err := delist(); err != nil {
				t.Fatal(err)
			}
			n.eventually("one instance is left", func() bool { return n.Metric("hermod_upstream_instances", `service="shop"`) == 1 })
			first.Stop()
			for range 10 {
				if by := answeredBy(t, p.Ask("shop.list", "")); by != "second" {
					t.Errorf("%s answers", by)
				}
			}
		})
	}
}
