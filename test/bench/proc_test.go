package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const stat = "17 (a ) b) S 1 17 17 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 1 1 1"
	got, err := parseStat(stat)
	if want := 3 * time.Second; err != nil || got != want {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
	if _, err := parseStat("17 (a) S 1"); err == nil {
		t.Error("a short line passed")
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	got, err := parseStatus([]byte("Name:\thermod\nVmRSS:\t    2048 kB\nThreads:\t9\n"))
	if want := int64(2 << 20); err != nil || got != want {
		t.Errorf("got %d and error %v, want %d", got, err, want)
	}
	if _, err := parseStatus([]byte("Name:\thermod\n")); err == nil {
		t.Error("a status without VmRSS passed")
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestLaunch(t *testing.T) {
	t.Parallel()
	up := func(context.Context) error { return nil }
	s, err := launch(t.Context(), "sleeper", t.TempDir(), "", exec.Command("sleep", "300"), up)
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
	_, err := launch(t.Context(), "failing", t.TempDir(), "", cmd, never)
	if err == nil || !strings.Contains(err.Error(), "no such port") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}
