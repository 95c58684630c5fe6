package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// bind pushes to a target with a hint for a request.
func (b *bench) bind(kind, id, title string, seq uint64, after bool, o biz.PushOptions) biz.PushResult {
	b.t.Helper()
	p := &biz.Push{MsgType: "m", Title: title, Bound: biz.PushBound{ClientSeq: seq, After: after}}
	return b.pushes.Push(b.t.Context(), biz.Target{Type: kind, ID: id}, p, o)
}

func wantOutcome(t *testing.T, r biz.PushResult, want biz.Outcome) {
	t.Helper()
	if r.Outcome != want {
		t.Errorf("outcome %v (%v), want %v", r.Outcome, r.Err, want)
	}
}

// TestHintsAroundAnAnswer: whatever else is pushed meanwhile, what is bound comes immediately ahead of
// the answer and right behind it, in the order in which it was pushed.
func TestHintsAroundAnAnswer(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			run(t, config, slow{}, func(t *testing.T, b *bench) {
				c := b.dial(f)
				id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
				c.ask("wait", "1")
				synctest.Wait()
				wantOutcome(t, b.bind("session", id, "after 1", c.seq, true, biz.PushOptions{}), biz.OutcomeQueued)
				wantOutcome(t, b.bind("openid", "7", "before 1", c.seq, false, biz.PushOptions{}), biz.OutcomeQueued)
				wantOutcome(t, b.bind("gid", "7", "before 2", c.seq, false, biz.PushOptions{}), biz.OutcomeQueued)
				wantOutcome(t, b.bind("session", id, "after 2", c.seq, true, biz.PushOptions{}), biz.OutcomeQueued)
				wantOutcome(t, b.push("session", id, "free"), biz.OutcomeDelivered)
				c.want("3 200 [m] free|d")
				time.Sleep(11 * time.Second)
				c.want("4 200 [m] before 1|", "5 200 [m] before 2|", "6 200 success|Echo: 1", "7 200 [m] after 1|", "8 200 [m] after 2|")
				c.drop()
			})
		})
	}
}

// TestHintsOfARequestThatIsAnswered come at once.
func TestHintsOfARequestThatIsAnswered(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("echo", "x")
		c.want("3 200 success|Echo: x")
		wantOutcome(t, b.bind("session", id, "before", c.seq, false, biz.PushOptions{}), biz.OutcomeDelivered)
		wantOutcome(t, b.bind("session", id, "after", c.seq, true, biz.PushOptions{}), biz.OutcomeDelivered)
		c.want("4 200 [m] before|", "5 200 [m] after|")
		c.drop()
	})
}

// TestHintsOfARequestThatFails come around the error, whatever the failure is.
func TestHintsOfARequestThatFails(t *testing.T) {
	for action, code := range map[string]string{"fail": "500 INTERNAL", "panic": "500 PANIC"} {
		t.Run(action, func(t *testing.T) {
			run(t, config, slow{}, func(t *testing.T, b *bench) {
				c := b.dial(gateway.Proto)
				id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
				c.ask("wait", "1") // lets the other one wait for its turn
				c.ask(action, "")
				synctest.Wait()
				wantOutcome(t, b.bind("session", id, "before", c.seq, false, biz.PushOptions{}), biz.OutcomeQueued)
				wantOutcome(t, b.bind("session", id, "after", c.seq, true, biz.PushOptions{}), biz.OutcomeQueued)
				time.Sleep(11 * time.Second)
				c.want("3 200 success|Echo: 1", "4 200 [m] before|", "5 error "+code, "6 200 [m] after|")
				c.drop()
			})
		})
	}
}

// TestHintsOfARequestThatNeverEnds come around the answer that its deadline makes.
func TestHintsOfARequestThatNeverEnds(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("wait", strings.Repeat("x", 1000))
		synctest.Wait()
		wantOutcome(t, b.bind("session", id, "before", c.seq, false, biz.PushOptions{}), biz.OutcomeQueued)
		wantOutcome(t, b.bind("session", id, "after", c.seq, true, biz.PushOptions{}), biz.OutcomeQueued)
		time.Sleep(config.RequestTimeout - time.Second)
		c.want()
		time.Sleep(2 * time.Second)
		c.want("3 200 [m] before|", "4 error 503 DEADLINE_EXCEEDED", "5 200 [m] after|")
		c.drop()
	})
}

// TestHintsOfARequestThatIsRefused come around the refusal, although an earlier request is not answered
// yet.
func TestHintsOfARequestThatIsRefused(t *testing.T) {
	cfg := config
	cfg.MaxRequests = 1
	run(t, cfg, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("wait", "1")
		synctest.Wait()
		c.ask("echo", "waits")
		synctest.Wait()
		refused := c.seq + 1
		wantOutcome(t, b.bind("session", id, "before", refused, false, biz.PushOptions{}), biz.OutcomeQueued)
		wantOutcome(t, b.bind("session", id, "after", refused, true, biz.PushOptions{}), biz.OutcomeQueued)
		wantOutcome(t, b.bind("session", id, "first", 2, true, biz.PushOptions{}), biz.OutcomeQueued)
		c.ask("echo", "one too many")
		c.want("3 200 [m] before|", "4 error 503 TOO_MANY_REQUESTS", "5 200 [m] after|")
		time.Sleep(11 * time.Second)
		c.want("6 200 success|Echo: 1", "7 200 [m] first|", "8 200 success|Echo: waits")
		c.drop()
	})
}

// TestHintsOfARefusedLogin come around the refusal, although the session is not let in; what is not
// bound goes on waiting.
func TestHintsOfARefusedLogin(t *testing.T) {
	run(t, config, refusing{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _, _ := c.started(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("hello", "")
		synctest.Wait()
		wantOutcome(t, b.push("session", id, "free"), biz.OutcomeQueued)
		wantOutcome(t, b.bind("session", id, "before", 1, false, biz.PushOptions{}), biz.OutcomeQueued)
		wantOutcome(t, b.bind("session", id, "after", 1, true, biz.PushOptions{}), biz.OutcomeQueued)
		time.Sleep(2 * time.Second)
		c.want("2 200 [m] before|", "3 error 500 LOGIN_FAILED", "4 200 [m] after|")
		wantOutcome(t, b.bind("session", id, "late", 1, false, biz.PushOptions{}), biz.OutcomeQueued)
		c.ask("hello", "", "gid", "7")
		synctest.Wait()
		wantOutcome(t, b.bind("session", id, "after 2", 2, true, biz.PushOptions{}), biz.OutcomeQueued)
		time.Sleep(2 * time.Second)
		c.want("5 200 welcome, 7|", "6 200 [m] after 2|", "7 200 [m] free|d", "8 200 [m] late|")
		c.drop()
	})
}

// TestHintsOfARequestThatHasNotCome wait for it, and if it does not come within the time that a request
// may take they come without it.
func TestHintsOfARequestThatHasNotCome(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		wantOutcome(t, b.bind("session", id, "after", 2, true, biz.PushOptions{}), biz.OutcomeQueued)
		wantOutcome(t, b.bind("session", id, "before", 2, false, biz.PushOptions{}), biz.OutcomeQueued)
		c.want()
		c.ask("echo", "x")
		c.want("3 200 [m] before|", "4 200 success|Echo: x", "5 200 [m] after|")
		c.ack(5)
		wantOutcome(t, b.bind("session", id, "never", 3, true, biz.PushOptions{}), biz.OutcomeQueued)
		time.Sleep(59 * time.Second)
		c.want()
		time.Sleep(3 * time.Second)
		c.want("6 200 [m] never|")
		c.drop()
	})
}

// TestHintsOfANumberThatIsPassedOver: the first request of a session may have any number.
func TestHintsOfANumberThatIsPassedOver(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _, _ := c.started(&gatewayv1.StartRequest{Openid: "7"})
		wantOutcome(t, b.bind("session", id, "passed over", 3, false, biz.PushOptions{}), biz.OutcomeQueued)
		c.seq = 10
		c.ask("hello", "")
		c.want("2 200 welcome, 7|", "3 200 [m] passed over|")
		c.drop()
	})
}

// TestHintsOfASessionThatIsAway: like all frames they are there when the client comes back, in their
// places.
func TestHintsOfASessionThatIsAway(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("wait", "1")
		synctest.Wait()
		wantOutcome(t, b.bind("session", id, "before", c.seq, false, biz.PushOptions{}), biz.OutcomeQueued)
		c.drop()
		wantOutcome(t, b.bind("session", id, "after", c.seq, true, biz.PushOptions{}), biz.OutcomeQueued)
		time.Sleep(11 * time.Second)
		back := b.dial(gateway.JSON)
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2})
		back.want("3 200 [m] before|", "4 200 success|Echo: 1", "5 200 [m] after|", "6 started")
		back.drop()
	})
}

// TestHintsForASessionThatStartedAnew: the requests of the one before are over.
func TestHintsForASessionThatStartedAnew(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("wait", "1")
		synctest.Wait()
		next := b.dial(gateway.Proto)
		next.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 1000})
		next.want("1 started")
		wantOutcome(t, b.bind("session", id, "before", c.seq, false, biz.PushOptions{}), biz.OutcomeDelivered)
		next.want("2 200 [m] before|")
		time.Sleep(11 * time.Second)
		next.drop()
	})
}

// TestHintsForSeveralSessions: a number is another request in each of them. The one whose request waits
// binds the push, and the others have it at once; where no session knows the number, it waits in all.
func TestHintsForSeveralSessions(t *testing.T) {
	cfg := config
	cfg.Devices = gateway.Allow
	run(t, cfg, slow{}, func(t *testing.T, b *bench) {
		asks, idle := b.dial(gateway.Proto), b.dial(gateway.Proto)
		asks.login(&gatewayv1.StartRequest{Openid: "7", DeviceId: "a"})
		idle.login(&gatewayv1.StartRequest{Openid: "7", DeviceId: "b"})
		asks.ask("wait", "1")
		synctest.Wait()
		for _, target := range [][2]string{{"openid", "7"}, {"gid", "7"}} {
			wantOutcome(t, b.bind(target[0], target[1], target[0], 2, true, biz.PushOptions{}), biz.OutcomeDelivered)
		}
		asks.want()
		idle.want("3 200 [m] openid|", "4 200 [m] gid|")
		time.Sleep(11 * time.Second)
		asks.want("3 200 success|Echo: 1", "4 200 [m] openid|", "5 200 [m] gid|")
		wantOutcome(t, b.bind("openid", "7", "late", 2, false, biz.PushOptions{}), biz.OutcomeDelivered)
		asks.want("6 200 [m] late|")
		idle.want("5 200 [m] late|")
		wantOutcome(t, b.bind("openid", "7", "early", 3, false, biz.PushOptions{}), biz.OutcomeQueued)
		asks.ask("echo", "x")
		asks.want("7 200 [m] early|", "8 200 success|Echo: x")
		asks.ack(8)
		idle.ack(5)
		idle.want()
		time.Sleep(62 * time.Second)
		idle.want("6 200 [m] early|")
		asks.drop()
		idle.drop()
	})
}

// TestHintsThatAreWaitedFor: delivered means acknowledged, with a hint as well; the wait is the
// caller's, and does not change the place.
func TestHintsThatAreWaitedFor(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("wait", "1")
		synctest.Wait()
		results := make(chan string, 3)
		waited := func(title string, after bool, wait time.Duration) {
			r := b.bind("session", id, title, 2, after, biz.PushOptions{AckWithin: wait})
			results <- fmt.Sprint(title, " ", r.Outcome)
		}
		go waited("before", false, 30*time.Second)
		synctest.Wait()
		go waited("impatient", false, 5*time.Second)
		go waited("after", true, 30*time.Second)
		time.Sleep(6 * time.Second)
		if got := <-results; got != "impatient queued" {
			t.Error(got)
		}
		time.Sleep(5 * time.Second)
		c.want("3 200 [m] before|", "4 200 [m] impatient|", "5 200 success|Echo: 1", "6 200 [m] after|")
		c.ack(5)
		if got := <-results; got != "before delivered" {
			t.Error(got)
		}
		c.ack(6)
		if got := <-results; got != "after delivered" {
			t.Error(got)
		}

		c.ask("wait", "1")
		synctest.Wait()
		go func() {
			r := b.bind("session", id, "lost", 3, true, biz.PushOptions{AckWithin: 30 * time.Second})
			results <- fmt.Sprint("lost ", r.Outcome)
		}()
		synctest.Wait()
		c.drop()
		if got := <-results; got != "lost queued" {
			t.Error(got)
		}
		time.Sleep(62 * time.Second) // the session's end
	})
}

// TestHintsWithinTheQueue: what is bound counts as what is queued does, and the caller is told.
func TestHintsWithinTheQueue(t *testing.T) {
	run(t, config, slow{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("wait", "1")
		synctest.Wait()
		large := strings.Repeat("x", 900)
		bound := 0
		for ; ; bound++ {
			r := b.bind("session", id, large, 2, bound%2 == 1, biz.PushOptions{})
			if r.Outcome == biz.OutcomeSlow {
				break
			}
			wantOutcome(t, r, biz.OutcomeQueued)
			if bound > 2000 {
				t.Fatal("there is no bound")
			}
		}
		wantOutcome(t, b.bind("session", id, large, 2, true, biz.PushOptions{}), biz.OutcomeSlow)
		time.Sleep(11 * time.Second)
		if got := len(c.take()); got != bound+1 {
			t.Errorf("%d frames came, of %d that were bound, and an answer", got, bound)
		}
		c.drop()
	})
}

// refusing lets nobody in who does not name a gid, after a second.
type refusing struct{}

func (refusing) Process(ctx context.Context, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	time.Sleep(time.Second)
	if r.Params["gid"] == "" {
		return &biz.UpstreamResponse{Code: 403, Message: "no"}, nil
	}
	return biz.Builtin{}.Process(ctx, r)
}
