//go:build unix

package data

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// BenchmarkCursorsOnServers writes what a thousand sessions have come to, which a node does twice a second: the time
// per operation is that of one cursor, for part of which the committer waits, and the CPU time is the node's.
func BenchmarkCursorsOnServers(b *testing.B) {
	const sessions = 1000
	for driver, start := range databases.Start {
		b.Run(driver, func(b *testing.B) {
			c := NewCursors(openWith(b, Options{Driver: driver, DSN: start(b).Create()}), quiet())
			began := cpuTime(b)
			b.ResetTimer()
			for n := 0; n < b.N; n += sessions {
				for i := range sessions {
					c.Advance(biz.Cursor{User: biz.UserID(fmt.Sprint(i)), Room: benchRoom(i % 100), Device: "d", Delivered: int64(n + 1)})
				}
				if err := c.Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what the process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
