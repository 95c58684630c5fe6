package sample

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// output is what the service writes, from several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// TestRun: the service serves with no gateway there, says where, and stops when it is told to.
func TestRun(t *testing.T) {
	t.Parallel()
	var out, logs output
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, []string{"-addr", "127.0.0.1:0", "-gateway", "127.0.0.1:1"}, &out, &logs) }()
	var addr string
	for deadline := time.Now().Add(time.Minute); addr == ""; time.Sleep(time.Millisecond) {
		if _, after, ok := strings.Cut(out.String(), "ready at "); ok {
			addr, _, _ = strings.Cut(after, ".\n")
		} else if time.Now().After(deadline) {
			t.Fatalf("not ready: %s %s", &out, &logs)
		}
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	resp, err := upstreamv1.NewUpstreamServiceClient(conn).ProcessRequest(t.Context(), &upstreamv1.UpstreamRequest{Action: "echo", Data: []byte("x")})
	if err != nil || string(resp.GetData()) != "Echo: x" {
		t.Errorf("%v, %v", resp, err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the port is still open")
	}
}

// TestStoppingWhileStarting ends the service at every point of its start.
func TestStoppingWhileStarting(t *testing.T) {
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		var logs output
		if err := Run(ctx, []string{"-addr", "127.0.0.1:0", "-gateway", "127.0.0.1:1"}, &output{}, &logs); err != nil {
			t.Errorf("%v\n%s", err, &logs)
		}
		cancel()
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	taken := lis.Addr().String()
	for want, args := range map[string][]string{
		`-addr ""`:                         {"-addr", ""},
		`-addr "9000"`:                     {"-addr", "9000"},
		`-gateway "here"`:                  {"-gateway", "here"},
		`-announce "there:"`:               {"-announce", "there:"},
		"-name is empty":                   {"-name", ""},
		"takes no arguments":               {"now"},
		"-h shows":                         {"-port", "1"},
		"is none that a gateway can reach": {"-addr", "127.0.0.1:0", "-announce", "0.0.0.0:1"},
		"-addr " + taken:                   {"-addr", taken},
	} {
		var out, logs output
		if err := Run(t.Context(), args, &out, &logs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
	var out output
	if err := Run(t.Context(), []string{"-version"}, &out, &out); err != nil || out.String() != "upstream "+Version+"\n" {
		t.Errorf("-version: %v, %s", err, &out)
	}
	if err := Run(t.Context(), []string{"-h"}, &out, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "calculate") {
		t.Errorf("-h: %v, %s", err, &out)
	}
}
