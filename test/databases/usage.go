package databases

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat, on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU is the time, user and system, that the processes of the server have used, those included that have ended.
// It needs Linux.
func (s *Server) CPU() time.Duration {
	s.t.Helper()
	var ticks int64
	for i, pid := range s.family() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended, and its parent has its time
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 15 {
			s.t.Fatalf("/proc/%d/stat is too short", pid)
		}
		last := 13 // utime and stime
		if i == 0 {
			last = 15 // and those of children that have ended
		}
		for _, field := range fields[11:last] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick
}
