//go:build !race

package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Under the race detector functions need more stack than they do in service.

// TestASessionAtRestHasASmallStack opens sessions that have said something, which takes a stack of
// several kilobytes for a moment, and holds what is left of their stacks against a bound. On Linux no
// goroutine is left either.
func TestASessionAtRestHasASmallStack(t *testing.T) {
	const sessions, most = 300, 4 << 10 // 2 KiB each, and what else the node does
	b := start(t)
	beat, err := proto.Marshal(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT})
	if err != nil {
		t.Fatal(err)
	}
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame(beat)))
	open := func(i int) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.http, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the node may have closed it
		in := bufio.NewReaderSize(conn, 512)
		_, err = fmt.Fprintf(conn, "GET /im?user-id=u%[1]d&room-id=r%[1]d HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: im.v1.proto\r\n\r\n", i)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil) //nolint:bodyclose // what follows is the connection
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(resp, err)
		}
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		h, err := ws.ReadHeader(in)
		if err == nil {
			_, err = io.CopyN(io.Discard, in, h.Length)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.ready.SetServing(true)
	open(0)
	before, goroutines := stacks(), runtime.NumGoroutine()
	for i := range sessions {
		open(1 + i)
	}
	defer func() {
		if t.Failed() {
			t.Logf("%d goroutines were there before; those of today, the most frequent first:\n%.6000s", goroutines, profile(t))
		}
	}()
	var each int64
	await(t, "small stacks", func() bool {
		each = (stacks() - before) / sessions
		return each <= most
	})
	if runtime.GOOS == "linux" {
		await(t, "no goroutine for each", func() bool { return runtime.NumGoroutine() < goroutines+sessions/4 })
	}
	t.Logf("%d bytes of stack for each session", each)
}

// profile says what goroutines do.
func profile(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		t.Error(err)
	}
	return text.String()
}

func stacks() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}
