package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// ticks is the CPU time of all processors since the machine started, in its own unit.
type ticks struct{ all, idle uint64 }

// machine reads the first line of /proc/stat, whose fields proc_stat(5) names.
func machine() (ticks, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}, err
	}
	return parseTicks(string(text))
}

func parseTicks(text string) (t ticks, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return t, fmt.Errorf("/proc/stat begins with %q", line)
	}
	for i, field := range fields[1:9] { // what guests have is in user and nice already
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return t, fmt.Errorf("/proc/stat: %w", err)
		}
		t.all += n
		if name := i + 1; name == 4 || name == 5 { // idle, iowait
			t.idle += n
		}
	}
	return t, nil
}

// busySince is the share of the CPU time that was used since before.
func (t ticks) busySince(before ticks) float64 {
	if t.all <= before.all {
		return 0
	}
	return 1 - float64(t.idle-before.idle)/float64(t.all-before.all)
}

func TestBusyIsWhatWasNotIdle(t *testing.T) {
	before, err := parseTicks("cpu  100 10 50 800 40 0 0 0 7 7\ncpu0 1 2 3\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseTicks("cpu  160 10 60 820 50 0 0 0 9 9\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := after.busySince(before); got != 0.7 {
		t.Errorf("70 of 100 ticks were used, got %v", got)
	}
	for _, bad := range []string{"", "cpu 1 2 3\n", "cpu a b c d e f g h\n"} {
		if _, err := parseTicks(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
