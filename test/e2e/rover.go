package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

const (
	// attempt is how long a client of the soak tries to connect.
	attempt = 5 * time.Second
	// beatEvery is how often such a client beats, and silence how long it goes on with a connection on
	// which nothing comes.
	beatEvery = time.Second
	silence   = 4 * time.Second
	// roamWithin is how long a client stays on a connection at most before it moves to another one.
	roamWithin = 12 * time.Second
)

// rover is a client of the gateway protocol that keeps its session over any number of connections: when
// one is lost, and now and then without any reason, it goes on over another transport. What it gets it
// enters into a ledger. It belongs to the goroutine of run.
type rover struct {
	openid string
	doors  doors
	rng    *rand.Rand
	ledger *Ledger
	quiet  func() bool // asked whether to begin something new
	stays  bool        // on its connection, as long as that lasts

	ready   chan struct{} // closed when it is logged in
	session string        // valid once it is
	done    chan struct{} // closed by whoever wants the session to end

	connects, resumes, repeats atomic.Int64
	moves                      [3]atomic.Int64 // connections by transport

	ticket  string
	last    uint64 // the last frame that came
	msgID   uint32
	seq     uint64
	ackAt   uint64 // it acknowledges every ackAt frames
	hello   uint32 // msg_id of the login
	pending *errand
}

// errand is a business request that has no answer yet.
type errand struct {
	seq    uint64
	msgID  uint32
	number uint64
}

func newRover(openid string, seed uint64, d doors, l *Ledger, quiet func() bool) *rover {
	id, _ := strconv.ParseUint(openid, 10, 64) // any other seeds all alike
	rng := rand.New(rand.NewPCG(seed, id))
	r := &rover{
		openid: openid, doors: d, rng: rng, ledger: l, quiet: quiet, ackAt: 1 + rng.Uint64N(8),
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	l.Open(r.echoes(), openid)
	return r
}

func (r *rover) echoes() string { return "echo of " + r.openid }

// run connects again and again until the session has ended or ctx does.
func (r *rover) run(ctx context.Context) {
	for over := false; !over && ctx.Err() == nil; {
		which := r.rng.IntN(len(carriers))
		try, cancel := context.WithTimeout(ctx, attempt)
		c, err := r.doors.gateway(try, carriers[which])
		cancel()
		if err != nil {
			doze(ctx, 100*time.Millisecond)
			continue
		}
		r.moves[which].Add(1)
		over = r.converse(ctx, c)
		doze(ctx, time.Duration(r.rng.Int64N(int64(300*time.Millisecond))))
	}
}

// converse speaks over one connection until it is lost, and tells whether the session was to end.
func (r *rover) converse(ctx context.Context, c carrier) (over bool) {
	frames := readAll(c)
	defer func() {
		c.hangUp()
		for range frames { // until its goroutine ends
		}
	}()
	started := r.start(c)
	beat := time.NewTicker(beatEvery/2 + time.Duration(r.rng.Int64N(int64(beatEvery))))
	defer beat.Stop()
	roam := time.NewTimer(time.Second + time.Duration(r.rng.Int64N(int64(roamWithin))))
	defer roam.Stop()
	deaf := time.NewTimer(silence)
	defer deaf.Stop()
	for {
		var err error
		select {
		case frame, ok := <-frames:
			if !ok {
				return false
			}
			deaf.Reset(silence)
			err = r.take(c, frame, started)
		case <-beat.C:
			_, err = r.ask(c, gatewayv1.RequestType_REQUEST_HEARTBEAT, 0, &gatewayv1.HeartbeatRequest{ClientTimestamp: 1})
			if err == nil && r.pending == nil && !r.quiet() {
				err = r.echo(c)
			}
		case <-roam.C:
			if !r.quiet() && !r.stays {
				return false
			}
		case <-deaf.C:
			return false
		case <-r.done:
			_, err = r.ask(c, gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{Reason: gatewayv1.StopRequest_USER_LOGOUT})
			if err != nil {
				return false
			}
			outlast(c, frames)
			return true
		case <-ctx.Done():
			return true
		}
		if err != nil {
			return false
		}
	}
}

// outlast waits until the node hangs up, or for silence at most.
func outlast(c carrier, frames <-chan []byte) {
	defer time.AfterFunc(silence, c.hangUp).Stop()
	for range frames {
	}
}

// readAll returns what a connection brings, in a channel that is closed when it is lost.
func readAll(c carrier) <-chan []byte {
	frames := make(chan []byte, 16)
	go func() {
		defer close(frames)
		for {
			frame, err := c.receive()
			if err != nil {
				return
			}
			frames <- frame
		}
	}()
	return frames
}

// start sends START and returns its msg_id. Half of the time it shows its ticket, otherwise its number
// says which session it means.
func (r *rover) start(c carrier) uint32 {
	r.connects.Add(1)
	m := &gatewayv1.StartRequest{Openid: r.openid, AuthToken: "default-token", LastAckedSeqId: r.last}
	if r.rng.IntN(2) == 0 {
		m.ResumeTicket = r.ticket
	}
	id, _ := r.ask(c, gatewayv1.RequestType_REQUEST_START, 0, m) // if it fails, so does reading
	return id
}

func (r *rover) ask(c carrier, kind gatewayv1.RequestType, seq uint64, m proto.Message) (uint32, error) {
	r.msgID++
	return r.msgID, r.send(c, r.msgID, kind, seq, m)
}

func (r *rover) send(c carrier, id uint32, kind gatewayv1.RequestType, seq uint64, m proto.Message) error {
	payload, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	frame, err := proto.Marshal(&gatewayv1.ClientRequest{MsgId: id, SeqId: seq, Type: kind, Payload: payload, Openid: r.openid})
	if err != nil {
		return err
	}
	return c.send(frame)
}

// echo begins an errand: a request whose answer must come once, whatever becomes of the connection.
func (r *rover) echo(c carrier) error {
	r.seq++
	r.msgID++
	r.pending = &errand{seq: r.seq, msgID: r.msgID, number: r.ledger.Send(r.echoes())}
	r.ledger.Settle(r.echoes(), r.pending.number, accepted)
	return r.repeat(c)
}

// repeat sends the errand, perhaps for the second time: if the node has it, its number is wrong then.
func (r *rover) repeat(c carrier) error {
	return r.send(c, r.pending.msgID, gatewayv1.RequestType_REQUEST_BUSINESS, r.pending.seq, &gatewayv1.BusinessRequest{
		Action: "echo", Data: []byte(letter(r.echoes(), r.pending.number)),
	})
}

// take handles a frame. One that came before is dropped.
func (r *rover) take(c carrier, data []byte, started uint32) error {
	push := &gatewayv1.ServerPush{}
	if err := proto.Unmarshal(data, push); err != nil {
		r.ledger.Wrong("%s: a frame that is none: %v", r.openid, err)
		return err
	}
	switch seq := push.GetSeqId(); {
	case seq <= r.last && (push.GetMsgId() != started || push.GetHeaders()["resync"] != "true"):
		r.repeats.Add(1)
		return r.ack(c)
	case seq > r.last+1:
		r.ledger.Wrong("%s: frame %d after %d", r.openid, seq, r.last)
	}
	r.last = push.GetSeqId()
	err := r.handle(c, push, started)
	if err == nil && r.last%r.ackAt == 0 {
		err = r.ack(c)
	}
	return err
}

func (r *rover) ack(c carrier) error {
	return r.send(c, 0, gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: r.last})
}

func (r *rover) handle(c carrier, push *gatewayv1.ServerPush, started uint32) error {
	switch push.GetType() {
	case gatewayv1.PushType_PUSH_START_RESP:
		if push.GetMsgId() == started {
			return r.welcomed(c, push)
		}
	case gatewayv1.PushType_PUSH_BUSINESS_DATA:
		r.data(push)
	case gatewayv1.PushType_PUSH_ERROR:
		r.refusal(push)
	}
	return nil
}

// welcomed goes on when START was answered: it logs in, or asks again what has no answer.
func (r *rover) welcomed(c carrier, push *gatewayv1.ServerPush) (err error) {
	resp := &gatewayv1.StartResponse{}
	if err := proto.Unmarshal(push.GetPayload(), resp); err != nil || !resp.GetSuccess() {
		r.ledger.Wrong("%s: START was answered with %v, %v", r.openid, resp, err)
		return fmt.Errorf("START was refused: %v, %w", resp, err)
	}
	r.ticket = push.GetHeaders()["resume-ticket"]
	switch {
	case r.session == "":
		r.session = resp.GetConnectionId()
		r.seq++
		r.hello, err = r.ask(c, gatewayv1.RequestType_REQUEST_BUSINESS, r.seq, &gatewayv1.BusinessRequest{Action: "hello"})
		return err
	case resp.GetConnectionId() != r.session || push.GetHeaders()["resumed"] != "true":
		r.ledger.Wrong("%s: came back to another session, with headers %v", r.openid, push.GetHeaders())
		r.session = resp.GetConnectionId()
	}
	r.resumes.Add(1)
	if r.pending != nil {
		return r.repeat(c)
	}
	return nil
}

func (r *rover) data(push *gatewayv1.ServerPush) {
	resp := &gatewayv1.BusinessResponse{}
	if err := proto.Unmarshal(push.GetPayload(), resp); err != nil || resp.GetCode() != 200 {
		r.ledger.Wrong("%s: a frame with %v, %v", r.openid, resp, err)
		return
	}
	id := push.GetMsgId()
	if id != 0 && id == r.hello {
		close(r.ready)
		return
	}
	lane, number := address(strings.TrimPrefix(string(resp.GetData()), "Echo: "))
	r.ledger.Hear(r.openid, lane, number)
	if id != 0 && r.pending != nil && id == r.pending.msgID {
		r.pending = nil
	}
}

// refusal handles an ERROR. The one that is expected is for a request that was repeated.
func (r *rover) refusal(push *gatewayv1.ServerPush) {
	e := &gatewayv1.ErrorMessage{}
	err := proto.Unmarshal(push.GetPayload(), e)
	if err != nil || e.GetDetail() != "INVALID_SEQUENCE" {
		r.ledger.Wrong("%s: request %d was refused: %v, %v", r.openid, push.GetMsgId(), e, err)
	}
}

// letter writes on a message which lane it is of, and its number there; address reads it, whatever
// else the message says behind a bar.
func letter(lane string, number uint64) string { return lane + "|" + strconv.FormatUint(number, 10) }

func address(letter string) (lane string, number uint64) {
	lane, text, _ := strings.Cut(letter, "|")
	text, _, _ = strings.Cut(text, "|")
	number, _ = strconv.ParseUint(text, 10, 64) // 0 was never sent
	return lane, number
}
