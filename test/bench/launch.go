package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 15 * time.Second
)

// server is a process under measurement. Whoever started it calls stop.
type server struct {
	name string
	at   addrs
	pid  int
	log  string
	quit context.CancelFunc
	done chan error
}

// addrs are where a server listens.
type addrs struct {
	im      string // im.v1 and the gateway protocol over gRPC
	web     string // the same over WebSocket
	quic    string
	service string // the GatewayService; of the bare loop, an UpstreamService too
}

func (s *server) meter() bench.Meter { return bench.Process(s.pid) }

// launch starts a command that writes its output to dir/NAME.log and waits until ready says so.
func launch(ctx context.Context, name, dir string, at addrs, cmd *exec.Cmd, ready func(context.Context) error) (_ *server, err error) {
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
	s := &server{name: name, at: at, pid: cmd.Process.Pid, log: out.Name(), quit: quit, done: make(chan error, 1)}
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
