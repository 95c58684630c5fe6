package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestLaunch(t *testing.T) {
	t.Parallel()
	up := func(context.Context) error { return nil }
	s, err := launch(t.Context(), "sleeper", t.TempDir(), addrs{}, exec.Command("sleep", "300"), up)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if !gone(s.pid) {
		t.Errorf("process %d is still there", s.pid)
	}
}

func TestLaunchTellsWhatTheProcessSaid(t *testing.T) {
	t.Parallel()
	never := func(context.Context) error { return os.ErrNotExist }
	cmd := exec.Command("sh", "-c", "echo no such port; exit 3")
	_, err := launch(t.Context(), "failing", t.TempDir(), addrs{}, cmd, never)
	if err == nil || !strings.Contains(err.Error(), "no such port") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}
