package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	imv1 "github.com/game-im/hermod/api/im/v1"

	"github.com/game-im/hermod/test/proxy"
)

// TestStopping stops a node with many streams open and sends in flight.
func TestStopping(t *testing.T) {
	t.Parallel()
	n := Start(t, "server:\n  stop:\n    notice: 500ms\n    drain: 300ms\n    timeout: 10s\n"+fast)
	im := n.Calls()
	join(t, im, "room", "reader")
	var streams []*Stream
	for i := range 20 {
		streams = append(streams, n.Connect(Hello{User: fmt.Sprint("idle ", i), Capabilities: []string{"", "resume", "batch"}[i%3]}))
	}
	senders := make([]*busySender, 4)
	var wg sync.WaitGroup
	for i := range senders {
		user := fmt.Sprint("sender ", i)
		senders[i] = &busySender{
			Stream: n.Connect(Hello{User: user, Room: "room", Capabilities: "ack,batch"}),
			user:   user, count: 1 << 30, window: 16, acked: map[string]int64{},
		}
		wg.Go(func() {
			if err := senders[i].run(within(t), "room"); errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	n.AwaitMetric(500, "hermod_session_deliveries_total")
	started := time.Now()
	n.Terminate()

	// Not ready comes first: during the notice everybody is still served.
	n.eventually("not ready", func() bool { status, _ := n.Page("/readyz"); return status == http.StatusServiceUnavailable })
	for i, s := range streams[:3] {
		if rest := s.Flush(); len(rest) > 0 {
			t.Errorf("stream %d: %v", i, rest)
		}
	}
	health, err := healthpb.NewHealthClient(Dial(t, n.IM)).Check(within(t), &healthpb.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health while stopping: %v, %v", health, err)
	}
	for _, s := range streams {
		s.Disconnected("3000")
	}
	wg.Wait()
	for _, s := range senders {
		s.Disconnected("3000")
	}
	n.Stopped()
	if took := time.Since(started); took < 500*time.Millisecond || took > 10*time.Second {
		t.Errorf("stopping took %s", took)
	}
	n.Boot()
	checkStored(t, n, senders)
}

// checkStored reads the room: what was acknowledged is there, where it was said to be.
func checkStored(t *testing.T, n *Node, senders []*busySender) {
	t.Helper()
	acked := 0
	for _, s := range senders {
		acked += len(s.acked)
	}
	head := info(t, n.Calls(), "room", "reader").GetRoomInfo().GetMessageCount()
	if head < int64(acked) || acked == 0 {
		t.Errorf("%d messages acknowledged, %d stored", acked, head)
	}
	reader := n.Connect(Hello{User: "reader", Room: "room"})
	bySeq := map[int64]string{}
	for seq := int64(1); seq <= head; seq++ {
		f := reader.Next()
		if f.GetSeq() != seq {
			t.Fatalf("seq %d, want %d", f.GetSeq(), seq)
		}
		bySeq[seq] = string(f.GetContent())
	}
	for _, s := range senders {
		for id, seq := range s.acked {
			if want := s.user + " " + id; bySeq[seq] != want {
				t.Errorf("%q was acknowledged as %d, which is %q", want, seq, bySeq[seq])
			}
		}
	}
}

// TestStoppingIsBounded: a client that does not read and a call that does not end are cut off at the
// deadline.
func TestStoppingIsBounded(t *testing.T) {
	t.Parallel()
	n := Start(t, "server:\n  stop:\n    drain: 0s\n    timeout: 2s\n")
	link := proxy.New(t, n.IM)
	stuck := Open(t, link.Addr, Hello{User: "stuck", Room: "room"}).Greeted()
	im := n.Calls()
	join(t, im, "room", "alice")
	link.Stall()
	for range 200 {
		say(t, im, "room", "alice", string(make([]byte, 32<<10)))
	}
	upload, err := im.UploadAudio(within(t)) // a stream of another kind, half way
	if err != nil {
		t.Fatal(err)
	}
	_ = upload.Send(&imv1.UploadAudioRequest{}) // it may be refused already
	started := time.Now()
	n.Terminate()
	n.Stopped()
	if took := time.Since(started); took > 12*time.Second { // by default it would be 15 s
		t.Errorf("stopping took %s, with a timeout of 2 s", took)
	}
	stuck.Cut()
	n.Boot()
	if head := info(t, im, "room", "alice").GetRoomInfo().GetMessageCount(); head != 200 {
		t.Errorf("%d messages stored, 200 acknowledged", head)
	}
}

// TestStoppingIdle: a node without sessions stops at once, also by SIGINT.
func TestStoppingIdle(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	started := time.Now()
	n.Signal(syscall.SIGINT)
	n.Stopped()
	if took := time.Since(started); took > 6*time.Second { // what does not stop is stopped after 15 s
		t.Errorf("an idle node took %s to stop", took)
	}
	for _, addr := range []string{n.IM, n.Gateway, n.Ops} {
		if status, _ := n.Page("/healthz"); status != 0 {
			t.Errorf("%s still answers", addr)
		}
	}
}

// TestStoppingTwice: whoever has told a node to stop and does not want to wait tells it again.
func TestStoppingTwice(t *testing.T) {
	t.Parallel()
	n := Start(t, "server:\n  stop:\n    notice: 2m\n    timeout: 3m\n")
	started := time.Now()
	n.eventually("the end", func() bool {
		n.Signal(syscall.SIGINT)
		return n.Ended()
	})
	if took := time.Since(started); took < time.Second {
		t.Errorf("ended after %s, by what may have been one signal", took)
	}
	if code := n.Cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(n.Log(), "interrupt came again") {
		t.Errorf("exit code %d", code)
	}
}

// TestAHangupDoesNotEndANodeThatStarts, which has no configuration to read again yet.
func TestAHangupDoesNotEndANodeThatStarts(t *testing.T) {
	t.Parallel()
	n := Prepare(t, "", "-conf", "consul://"+freeAddr(t)+"/hermod.yaml")
	n.Spawn()
	n.eventually("a centre that does not answer", func() bool { return strings.Contains(n.Log(), "trying again") })
	n.Signal(syscall.SIGHUP)
	n.Terminate()
	n.eventually("the end", n.Ended)
	if state := n.Cmd.ProcessState; state.ExitCode() != 1 || !strings.Contains(n.Log(), "cannot be reached") {
		t.Errorf("it ended with %s", state)
	}
}
