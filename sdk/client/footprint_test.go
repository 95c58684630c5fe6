package client

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// What one client may cost when thousands share a few connections.
const (
	footprintBytes      = 24 << 10
	footprintGoroutines = 2
)

// TestFootprint connects many clients over four connections to a node in another process, and
// measures what each costs here, and again when each has sent and received. HERMOD_CLIENTS says
// how many; 10000 need half a minute.
func TestFootprint(t *testing.T) {
	clients := 1000
	if s := os.Getenv("HERMOD_CLIENTS"); s != "" {
		var err error
		if clients, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	stubs := dialStubs(t, startNode(t), 4)
	before := measure()
	received := make(chan struct{}, clients)
	all := make([]*Client, clients)
	each(t, all, func(i int) (err error) {
		all[i], err = NewClientWithGRPCAndConfig(stubs[i%len(stubs)], &Config{
			UserID:        fmt.Sprintf("footprint-%d", i),
			DefaultRoomID: fmt.Sprintf("footprint-%d", i/2),
			OnMessage: func(m *imv1.MessageResponse) {
				if m.GetType() == imv1.MessageType_MESSAGE_TYPE_TEXT {
					received <- struct{}{}
				}
			},
			OnConnect:    func() {},
			OnDisconnect: func(error) {},
			OnError:      func(err error) { t.Error(err) },
		})
		if err == nil {
			err = all[i].Connect()
		}
		return err
	})
	judge(t, "connected", before, clients)
	each(t, all, func(i int) error { return all[i].SendTextMessage("", "hello") })
	for range all {
		wait(t, received, "a message")
	}
	time.Sleep(time.Second)
	judge(t, "after a message", before, clients)
	if f := os.Getenv("HERMOD_PROFILE"); f != "" {
		w, _ := os.Create(f)
		pprof.Lookup("heap").WriteTo(w, 0)
		w.Close()
	}
	each(t, all, func(i int) error { return all[i].Disconnect() })
}

const gcs = 2

type footprint struct {
	bytes       int64
	heap, stack int64
	goroutines  int
}

func measure() footprint {
	for range gcs {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{int64(m.HeapInuse + m.StackInuse), int64(m.HeapAlloc), int64(m.StackInuse), runtime.NumGoroutine()}
}

func judge(t *testing.T, when string, before footprint, clients int) {
	t.Helper()
	now := measure()
	bytes := (now.bytes - before.bytes) / int64(clients)
	goroutines := float64(now.goroutines-before.goroutines) / float64(clients)
	t.Logf("%d clients, %s: %d bytes and %.2f goroutines each (heap %d stack %d)", clients, when, bytes, goroutines, (now.heap-before.heap)/int64(clients), (now.stack-before.stack)/int64(clients))
	if bytes > footprintBytes || goroutines > footprintGoroutines+0.1 {
		t.Errorf("allowed are %d bytes and %d goroutines", footprintBytes, footprintGoroutines)
	}
}

func dialStubs(t *testing.T, addr string, n int) []imv1.IMServiceClient {
	t.Helper()
	stubs := make([]imv1.IMServiceClient, n)
	for i := range stubs {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		stubs[i] = imv1.NewIMServiceClient(conn)
	}
	return stubs
}

// each runs do for all clients, some at a time.
func each(t *testing.T, all []*Client, do func(i int) error) {
	t.Helper()
	next := make(chan int)
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
}
