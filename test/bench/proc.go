package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 15 * time.Second
	// clockTick is the unit of /proc/PID/stat, 1/100 s on every Linux that Go runs on.
	clockTick = 10 * time.Millisecond
)

// server is a process under measurement. Whoever started it calls stop.
type server struct {
	name string
	addr string // im.v1
	web  string // the same over WebSocket
	pid  int
	log  string
	quit context.CancelFunc
	done chan error
}

// usage is what a server process has used so far.
type usage struct {
	cpu  time.Duration // user and system
	rss  int64         // bytes, now
	when time.Time
}

// launch starts a command that writes its output to dir/NAME.log and waits until ready says so.
func launch(ctx context.Context, name, dir, addr string, cmd *exec.Cmd, ready func(context.Context) error) (_ *server, err error) {
	out, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	life, quit := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{name: name, addr: addr, pid: cmd.Process.Pid, log: out.Name(), quit: quit, done: make(chan error, 1)}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	go func() { s.done <- supervise(life, cmd.Process, exited) }()
	if err := s.await(ctx, ready); err != nil {
		if stopErr := s.stop(); !errors.Is(err, stopErr) {
			err = errors.Join(err, stopErr)
		}
		return nil, fmt.Errorf("%s did not start: %w\n%s", name, err, s.lastLines())
	}
	return s, nil
}

// supervise waits for the process to end by itself, or ends it when life does: politely, then by
// force.
func supervise(life context.Context, p *os.Process, exited <-chan error) error {
	select {
	case err := <-exited:
		return fmt.Errorf("it ended by itself: %w", err)
	case <-life.Done():
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-exited: //nolint:errcheck // as it was told to, whatever its status
		return nil
	case <-time.After(stopLimit):
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("it did not stop within %v: %w", stopLimit, <-exited)
}

func (s *server) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case gone := <-s.done:
			s.done <- gone
			return gone
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", startLimit, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the process and tells whether it had ended before, or had to be killed.
func (s *server) stop() error {
	s.quit()
	err := <-s.done
	s.done <- err
	return err
}

// lastLines is the end of the process's output, for error reports.
func (s *server) lastLines() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// usage reads /proc.
func (s *server) usage() (usage, error) {
	dir := "/proc/" + strconv.Itoa(s.pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return usage{}, err
	}
	u := usage{when: time.Now()}
	if u.cpu, err = parseStat(string(stat)); err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return usage{}, err
	}
	u.rss, err = parseStatus(status)
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

// startBare starts this program's own bare loop as a process.
func startBare(ctx context.Context, dir string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	web, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return onWeb(web)(launch(ctx, "bare", dir, addr, exec.Command(self, "bare", "-addr", addr, "-web", web), func(ctx context.Context) error {
		return errors.Join(accepts(addr)(ctx), accepts(web)(ctx))
	}))
}

// onWeb notes where a server that was launched serves WebSocket.
func onWeb(addr string) func(*server, error) (*server, error) {
	return func(s *server, err error) (*server, error) {
		if s != nil {
			s.web = addr
		}
		return s, err
	}
}

// startNode starts a node with a data directory of its own, on free ports.
func startNode(ctx context.Context, bin, dir string, durable bool) (*server, error) {
	im, gateway, ops, err := threeAddrs()
	if err != nil {
		return nil, err
	}
	web, err := freeAddr()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "hermod.yaml")
	if err := os.WriteFile(conf, []byte(nodeConfig(durable)), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, "-conf", conf, "-im", im, "-grpc", gateway, "-http", web, "-ops", ops)
	cmd.Env = append(os.Environ(), "HERMOD_DATA_DIR="+filepath.Join(dir, "data"))
	return onWeb(web)(launch(ctx, "hermod", dir, im, cmd, func(ctx context.Context) error {
		return errors.Join(accepts(im)(ctx), healthy(ctx, "http://"+ops+"/readyz"))
	}))
}

// nodeConfig differs from the defaults where the load would be refused, since it is one client
// that sends as fast as it can and not a person, and where stopping would take its time for
// clients that are long gone.
func nodeConfig(durable bool) string {
	return fmt.Sprintf(`server:
  stop:
    notice: 0s
    drain: 0s
session:
  sends_per_second: 1000000
  send_burst: 1000000
room:
  defaults:
    persistent: %v
`, durable)
}

func threeAddrs() (a, b, c string, err error) {
	addrs := make([]string, 3)
	for i := range addrs {
		if addrs[i], err = freeAddr(); err != nil {
			return "", "", "", err
		}
	}
	return addrs[0], addrs[1], addrs[2], nil
}

// freeAddr finds a port that nobody listens on. Another process may take it before the server
// does; the server then fails to start, and says so.
func freeAddr() (string, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return lis.Addr().String(), lis.Close()
}

func accepts(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func healthy(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
