package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used so far.
type Usage struct {
	CPU time.Duration // user and system
	RSS int64         // bytes, now
}

// Meter reads what the node's process has used.
type Meter interface {
	Read(ctx context.Context) (Usage, error)
}

// clockTick is the unit of /proc/PID/stat, 1/100 s on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// Process is the process of this id on this machine, read from /proc.
type Process int

// Read implements Meter.
func (p Process) Read(context.Context) (u Usage, err error) {
	dir := "/proc/" + strconv.Itoa(int(p))
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return u, err
	}
	if u.CPU, err = parseStat(string(stat)); err != nil {
		return u, err
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return u, err
	}
	u.RSS, err = parseStatus(status)
	return u, err
}

// parseStat adds utime and stime, the 14th and 15th field of /proc/PID/stat.
func parseStat(stat string) (time.Duration, error) {
	// The second field, the program's name in parentheses, may hold blanks.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// parseStatus finds VmRSS in /proc/PID/status.
func parseStatus(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS in /proc/PID/status")
}

// Metrics is the page of a node's metrics, such as http://127.0.0.1:8081/metrics.
type Metrics struct {
	URL    string
	Client *http.Client // nil: the default one
}

const (
	metricsLimit = 5 * time.Second
	maxMetrics   = 64 << 20
)

// Read implements Meter.
func (m Metrics) Read(ctx context.Context) (u Usage, err error) {
	ctx, cancel := context.WithTimeout(ctx, metricsLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, http.NoBody)
	if err != nil {
		return u, err
	}
	client := m.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return u, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return u, fmt.Errorf("%s: %s", m.URL, resp.Status)
	}
	return parseMetrics(io.LimitReader(resp.Body, maxMetrics))
}

// parseMetrics finds the figures of the process on a page in Prometheus' text format.
func parseMetrics(page io.Reader) (u Usage, err error) {
	found := 0
	lines := bufio.NewScanner(page)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name != "process_cpu_seconds_total" && name != "process_resident_memory_bytes" {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return u, fmt.Errorf("%s: %w", name, err)
		}
		found++
		if name == "process_cpu_seconds_total" {
			u.CPU = time.Duration(v * float64(time.Second))
		} else {
			u.RSS = int64(v)
		}
	}
	if err := lines.Err(); err != nil {
		return u, err
	}
	if found != 2 {
		return u, errors.New("the page has no process_cpu_seconds_total and process_resident_memory_bytes: not that of a node, or not on Linux")
	}
	return u, nil
}
