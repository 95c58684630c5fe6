package loopback_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/game-im/hermod/test/loopback"
)

// many is more than a block has.
const many = 200

// asOther has the program print addresses, and keep them until its standard input ends.
const asOther = "HERMOD_TEST_PORTS"

func TestMain(m *testing.M) {
	if os.Getenv(asOther) == "" {
		os.Exit(m.Run())
	}
	for range many {
		addr, err := loopback.FreeAddr()
		if err != nil {
			panic(err)
		}
		fmt.Println(addr)
	}
	fmt.Println("done")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// TestEveryPortIsGivenOnce, also to several processes at once.
func TestEveryPortIsGivenOnce(t *testing.T) {
	given := make(map[string]bool)
	give := func(addr string) {
		t.Helper()
		if given[addr] {
			t.Errorf("%s is given twice", addr)
		}
		given[addr] = true
	}
	for range 2 {
		for addr := range strings.FieldsSeq(another(t)) {
			give(addr)
		}
		for range many {
			give(loopback.Addr(t))
		}
	}
	if len(given) != 4*many {
		t.Errorf("%d addresses are given; want %d", len(given), 4*many)
	}
}

// another starts a process, which runs until the test ends, and returns the addresses that it was given.
func another(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asOther+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stdin.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	var out strings.Builder
	for buf := make([]byte, 1<<10); !strings.HasSuffix(out.String(), "done\n"); {
		n, err := stdout.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(buf[:n])
	}
	return strings.TrimSuffix(out.String(), "done\n")
}

// TestDistances: ports that belong together are all free, and given to nobody else.
func TestDistances(t *testing.T) {
	given := make(map[int]bool)
	for range many {
		port := loopback.Port(t, 1, 1000, -1000)
		for _, p := range []int{port, port + 1, port + 1000, port - 1000} {
			if given[p] {
				t.Errorf("port %d is given twice", p)
			}
			given[p] = true
		}
	}
}

// TestListen: who comes back to an address finds it free.
func TestListen(t *testing.T) {
	seen := make(map[string]bool)
	for range many {
		lis := loopback.Listen(t)
		if seen[lis.Addr().String()] {
			t.Errorf("%s is given twice", lis.Addr())
		}
		seen[lis.Addr().String()] = true
		if err := lis.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
