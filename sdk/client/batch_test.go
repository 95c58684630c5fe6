package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func texts(room string, n int) []*imv1.MessageRequest {
	reqs := make([]*imv1.MessageRequest, n)
	for i := range reqs {
		reqs[i] = &imv1.MessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(strconv.Itoa(i))}
	}
	return reqs
}

type batchSent struct {
	outcomes []SendOutcome
	err      error
}

func sendBatch(ctx context.Context, c *Client, reqs []*imv1.MessageRequest) <-chan batchSent {
	out := make(chan batchSent, 1)
	go func() {
		outcomes, err := c.SendBatch(ctx, reqs)
		out <- batchSent{outcomes, err}
	}()
	return out
}

// Outcomes stand in the order of the messages, whatever they are, and do not wait for each other.
func TestSendBatchOutcomes(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	reqs := texts("a", 4)
	reqs[2].RoomId = "\xff"
	out := sendBatch(t.Context(), c, reqs)
	var sent []*imv1.MessageRequest
	for range 3 { // all are on their way before the first is answered
		sent = append(sent, ps.recv(t))
	}
	ps.send(t, ackOf(sent[0], 7, 0), refusalOf(sent[1], "NOT_A_MEMBER", "join first"), ackOf(sent[2], 8, 0))
	got := wait(t, out, "SendBatch")
	o := got.outcomes
	if len(o) != 4 || o[0].Result.Seq != 7 || Reason(o[1].Err) != "NOT_A_MEMBER" || o[2].Err == nil || o[3].Result.Seq != 8 {
		t.Errorf("outcomes %+v", o)
	}
	if Reason(got.err) != "NOT_A_MEMBER" || !strings.Contains(got.err.Error(), "2 of 4") {
		t.Errorf("error %v", got.err)
	}
	if outcomes, err := c.SendBatch(t.Context(), nil); len(outcomes) != 0 || err != nil {
		t.Errorf("an empty batch: %v, %v", outcomes, err)
	}
}

// What is refused as too soon goes again under the same id, before the rest, which then goes one
// by one.
func TestSendBatchSlowsDown(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	const n = unlimitedBurst + 10
	out := sendBatch(t.Context(), c, texts("a", n))
	for range unlimitedBurst - 2 {
		ps.send(t, ackOf(ps.recv(t), 1, 0))
	}
	early := []*imv1.MessageRequest{ps.recv(t), ps.recv(t)}
	ps.send(t, refusalOf(early[0], reasonRateLimited, "slow down"), refusalOf(early[1], reasonRateLimited, "slow down"))
	flying := 0
	for i := unlimitedBurst - 2; ; {
		req := ps.recv(t)
		if req.GetMessageId() != early[0].GetMessageId() {
			flying++ // sent before the refusal was known
			ps.send(t, refusalOf(req, reasonRateLimited, "slow down"))
			continue
		}
		for ; i < n; i++ {
			if string(req.GetContent()) != strconv.Itoa(i) {
				t.Fatalf("%s is sent, want %d", req.GetContent(), i)
			}
			if len(ps.in) > 0 {
				t.Fatal("the next is sent before this one is answered")
			}
			ps.send(t, ackOf(req, int64(i), 0))
			if i < n-1 {
				req = ps.recv(t)
			}
		}
		break
	}
	got := wait(t, out, "SendBatch")
	if got.err != nil {
		t.Errorf("SendBatch: %v", got.err)
	}
	if s := c.Stats(); s.Sent != n || s.Refused != uint64(2+flying) {
		t.Errorf("%d sent, %d refused", s.Sent, s.Refused)
	}
}

func TestSendBatchKeepsToTheServersLimit(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	ps := p.next(t).header(t, keySessionID, "s1", keySendsPerSecond, "100", keySendBurst, "16")
	if err := wait(t, connected, "Connect"); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	out := sendBatch(t.Context(), c, texts("a", 24))
	var sent []*imv1.MessageRequest
	for range 4 { // a quarter of the burst may be without an answer
		sent = append(sent, ps.recv(t))
	}
	for ; len(sent) > 0; sent = sent[1:] {
		ps.send(t, ackOf(sent[0], 1, 0))
		if content, _ := strconv.Atoi(string(sent[0].GetContent())); content < 20 {
			sent = append(sent, ps.recv(t))
		}
	}
	if got := wait(t, out, "SendBatch"); got.err != nil {
		t.Error(got.err)
	}
	if took := time.Since(begun); took < 200*time.Millisecond { // 4 at once, 20 at 100 per second
		t.Errorf("24 messages within %v", took)
	}
	p.disconnect(t, c)
}

// TestSendBatchSaysWhyItEnds: what is left says that Disconnect was called, also what finds that out before the context does.
func TestSendBatchSaysWhyItEnds(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	b := &batch{c: c, life: c.living(), reqs: texts("a", 3), outcomes: make([]SendOutcome, 3), window: c.pacer.begin(pace{})}
	p.disconnect(t, c)
	b.prepare()
	b.run(t.Context())
	for i, o := range b.outcomes {
		if !errors.Is(o.Err, ErrDisconnected) {
			t.Errorf("message %d: %v", i, o.Err)
		}
	}
}

func TestSendBatchEnds(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	out := sendBatch(ctx, c, texts("a", 500))
	ps.send(t, ackOf(ps.recv(t), 1, 0))
	ps.recv(t)
	eventually(t, func() bool { return c.Stats().Sent == 1 })
	cancel()
	got := wait(t, out, "SendBatch")
	if o := got.outcomes; o[0].Err != nil || !errors.Is(o[1].Err, context.Canceled) || !errors.Is(o[499].Err, context.Canceled) || !errors.Is(got.err, context.Canceled) {
		t.Errorf("after cancel: %v, %v", got.err, o[0].Err)
	}
	out = sendBatch(t.Context(), c, texts("b", 500))
	for ps.recv(t).GetRoomId() != "b" {
		continue // of the first batch
	}
	p.disconnect(t, c)
	got = wait(t, out, "SendBatch")
	if o := got.outcomes; !errors.Is(o[0].Err, ErrDisconnected) || !errors.Is(o[499].Err, ErrDisconnected) {
		t.Errorf("after Disconnect: %v", got.err)
	}
	if o, err := c.SendBatch(t.Context(), texts("a", 2)); len(o) != 2 || !errors.Is(o[1].Err, ErrNotConnected) || !errors.Is(err, ErrNotConnected) {
		t.Errorf("without a connection: %v, %v", o, err)
	}
	if c.sends.any() {
		t.Error("abandoned sends are kept")
	}
}

// A batch goes on over the next connection, in order and without doubles.
func TestSendBatchSurvivesAReconnect(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	const n = 200
	out := sendBatch(t.Context(), c, texts("a", n))
	for i := range 20 {
		ps.send(t, ackOf(ps.recv(t), int64(i), uint64(i+1)))
	}
	eventually(t, func() bool { return c.Stats().Sent == 20 })
	ps.end(errLost)
	ps = p.next(t).accept(t, "s1", true)
	for i := 20; i < n; i++ {
		req := ps.recvSkippingAcks(t)
		if got := string(req.GetContent()); got != fmt.Sprint(i) {
			t.Fatalf("%s is sent, want %d", got, i)
		}
		ps.send(t, ackOf(req, int64(i), uint64(i+1)))
	}
	if got := wait(t, out, "SendBatch"); got.err != nil {
		t.Errorf("SendBatch: %v", got.err)
	}
}

// Against a node with its usual limits, many thousand messages are stored in order and none is
// refused.
func TestSendBatchToANode(t *testing.T) {
	t.Parallel()
	c, err := NewClientWithGRPCAndConfig(dialStubs(t, StartNode(t), 1)[0], &Config{UserID: "batch-user", DefaultRoomID: "batch-room"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect()
	const n = 3500 // more than the burst of 2000
	outcomes, err := c.SendBatch(t.Context(), texts("", n))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < n; i++ {
		if outcomes[i].Result.Seq <= outcomes[i-1].Result.Seq {
			t.Fatalf("message %d has seq %d, the one before %d", i, outcomes[i].Result.Seq, outcomes[i-1].Result.Seq)
		}
	}
	if s := c.Stats(); s.Sent != n || s.Refused != 0 {
		t.Errorf("%d sent, %d refused", s.Sent, s.Refused)
	}
}

func TestPaceOf(t *testing.T) {
	t.Parallel()
	for header, want := range map[[2]string]pace{
		{"1000", "2000"}: {1000, 2000},
		{"0.5", "1"}:     {0.5, 1},
		{"", ""}:         {},
		{"x", "1"}:       {},
		{"0", "1"}:       {},
		{"NaN", "1"}:     {},
		{"1", "0"}:       {},
	} {
		md := map[string][]string{keySendsPerSecond: {header[0]}, keySendBurst: {header[1]}}
		if got := paceOf(md); got != want {
			t.Errorf("%v: %v, want %v", header, got, want)
		}
	}
}
