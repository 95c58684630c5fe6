package client

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"

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
// measures what each costs here: once they are connected, and when each has sent and received.
// HERMOD_CLIENTS says how many there are; 10000 take half a minute.
func TestFootprint(t *testing.T) {
	all := make([]*Client, 1000)
	if s := os.Getenv("HERMOD_CLIENTS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		all = make([]*Client, n)
	}
	stubs := dialStubs(t, StartNode(t), 4)
	for _, stub := range stubs { // the connections themselves belong to no client
		if _, err := stub.HealthCheck(t.Context(), &imv1.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	first := make([]*Client, 100) // with whom comes what is there once, however many there are
	enter(t, stubs, first, "first")
	talk(t, first)
	before := measure()
	received := enter(t, stubs, all, "footprint")
	if t.Failed() {
		return
	}
	judge(t, "connected", before, len(all))
	talk(t, all)
	received.Wait()
	judge(t, "after a message", before, len(all))
	for _, some := range [][]*Client{all, first} {
		each(t, some, func(i int) error { return some[i].Disconnect() })
	}
}

// enter connects clients, two to a room, and returns what ends when each has received a message.
func enter(t *testing.T, stubs []imv1.IMServiceClient, all []*Client, name string) *sync.WaitGroup {
	t.Helper()
	var received sync.WaitGroup
	received.Add(len(all))
	each(t, all, func(i int) (err error) {
		all[i], err = NewClientWithGRPCAndConfig(stubs[i%len(stubs)], &Config{
			UserID:        fmt.Sprintf("%s-%d", name, i),
			DefaultRoomID: fmt.Sprintf("%s-%d", name, i/2),
			OnMessage: func(m *imv1.MessageResponse) {
				if m.GetType() == imv1.MessageType_MESSAGE_TYPE_TEXT {
					received.Done()
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
	return &received
}

// talk has each of them say something, and waits until all is acknowledged and nothing waits for a callback.
func talk(t *testing.T, all []*Client) {
	t.Helper()
	each(t, all, func(i int) error { return all[i].SendTextMessage("", "hello") })
	eventually(t, func() bool {
		return !slices.ContainsFunc(all, func(c *Client) bool { return c.Stats().Acks == 0 || c.Stats().Queued > 0 })
	})
}

type footprint struct{ bytes, goroutines int }

// measure returns what the process takes, with what is free inside of its pages.
func measure() footprint {
	runtime.GC()
	runtime.GC() // sweeps what the first one found
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{int(m.HeapInuse + m.StackInuse), runtime.NumGoroutine()}
}

func judge(t *testing.T, when string, before footprint, clients int) {
	t.Helper()
	now := measure()
	bytes := (now.bytes - before.bytes) / clients
	goroutines := float64(now.goroutines-before.goroutines) / float64(clients)
	t.Logf("%d clients, %s: %d bytes and %.2f goroutines each", clients, when, bytes, goroutines)
	if bytes > footprintBytes && !raceDetector() {
		t.Errorf("%d bytes are allowed", footprintBytes)
	}
	if goroutines > footprintGoroutines+0.05 { // those of the connections are among them
		t.Errorf("%d goroutines are allowed", footprintGoroutines)
	}
}

// raceDetector tells whether the race detector is at work, which takes memory of its own.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
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
