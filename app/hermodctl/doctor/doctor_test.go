package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/conf"
)

// examined runs one check on the defaults with overrides.
func examined(t *testing.T, run func(context.Context, *conf.Config) []Finding, overrides ...conf.Override) []Finding {
	t.Helper()
	c, err := conf.Load(nil, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	return run(t.Context(), c)
}

func worst(findings []Finding) (state State, text string) {
	state = OK
	for _, f := range findings {
		text += f.Text + " → " + f.Advice + "\n"
		if f.State == Failure || f.State == Warning && state == OK {
			state = f.State
		}
		if (f.State == OK) != (f.Advice == "") {
			text += "what is wrong has an advice, what is not has none\n"
		}
	}
	return state, text
}

func expects(t *testing.T, name string, findings []Finding, state State, says string) {
	t.Helper()
	got, text := worst(findings)
	if got != state || !strings.Contains(text, says) || strings.Contains(text, "has an advice") {
		t.Errorf("%s: %s, want %s and %q:\n%s", name, got, state, says, text)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	go func() {
		for conn, err := taken.Accept(); err == nil; conn, err = taken.Accept() {
			conn.Close() // something that speaks neither HTTP nor gRPC
		}
	}()
	at := func(key, addr string) conf.Override { return conf.Override{Path: key, Value: addr} }
	free := []conf.Override{at("server.im.addr", "127.0.0.1:0"), at("server.gateway.addr", "127.0.0.1:0"), at("server.http.addr", "127.0.0.1:0"), at("server.ops.addr", "127.0.0.1:0")}
	expects(t, "free ones", examined(t, ports, free...), OK, "is free")
	for _, key := range []string{"server.im.addr", "server.gateway.addr", "server.http.addr", "server.ops.addr"} {
		expects(t, key+" taken", examined(t, ports, append(free, at(key, taken.Addr().String()))...), Failure, key+" "+taken.Addr().String()+" is held by another program")
	}
	expects(t, "a foreign address", examined(t, ports, append(free, at("server.ops.addr", "192.0.2.1:1"))...), Failure, "no such address")
	for addr, want := range map[string]string{":1": "localhost:1", "0.0.0.0:1": "localhost:1", "[::]:1": "localhost:1", "10.0.0.1:1": "10.0.0.1:1"} {
		if got := reachable(addr); got != want {
			t.Errorf("%s is asked at %s, want %s", addr, got, want)
		}
	}
}

// TestAPortThatSaysNothing: whoever holds it may be a node that hangs, and what the others say is heard all the same.
func TestAPortThatSaysNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ready\n") // what the client makes of it is looked at
	}))
	defer node.Close()
	c, err := conf.Load(nil, conf.Override{Path: "server.im.addr", Value: silent.Addr().String()}, conf.Override{Path: "server.gateway.addr", Value: "127.0.0.1:0"},
		conf.Override{Path: "server.http.addr", Value: "127.0.0.1:0"}, conf.Override{Path: "server.ops.addr", Value: node.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	findings := ports(ctx, c)
	expects(t, "a silent one", findings[:1], Failure, "is held by a program that does not answer")
	expects(t, "a node behind it", findings[3:], OK, "is held by a Hermod that is ready")
}

// TestUDPPort: a port of QUIC is tried as what it is, and a program that does not speak it is told apart.
func TestUDPPort(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	quic := func(addr string) []Finding {
		return examined(t, func(ctx context.Context, c *conf.Config) (only []Finding) {
			for _, f := range ports(ctx, c) {
				if strings.HasPrefix(f.Text, "server.quic.addr") {
					only = append(only, f)
				}
			}
			return only
		}, conf.Override{Path: "server.quic.addr", Value: addr})
	}
	if got := quic(""); len(got) != 0 {
		t.Errorf("QUIC is off, and there is %v", got)
	}
	expects(t, "a free one", quic("127.0.0.1:0"), OK, "is free")
	expects(t, "one that is taken", quic(taken.LocalAddr().String()), Failure, "ss -lunp")
}

func TestDataDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(path string) conf.Override { return conf.Override{Path: "data.dir", Value: path} }
	expects(t, "one that exists", examined(t, dataDir, at(dir)), OK, "is writable")
	expects(t, "one to be made", examined(t, dataDir, at(filepath.Join(dir, "a", "b"))), OK, "can be made")
	expects(t, "a file", examined(t, dataDir, at(file)), Failure, "is no directory")
	expects(t, "below a file", examined(t, dataDir, at(filepath.Join(file, "a"))), Failure, "data.dir")
	if os.Getuid() != 0 { // whom no mode keeps out
		closed := filepath.Join(dir, "closed")
		if err := os.Mkdir(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		expects(t, "a foreign one", examined(t, dataDir, at(closed)), Failure, "cannot be written")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 2 {
		t.Errorf("something was left: %v, %v", files, err)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := conf.Override{Path: "data.dir", Value: dir}
	expects(t, "none", examined(t, store, at), OK, "no database yet")
	if err := os.WriteFile(filepath.Join(dir, "hermod.db"), []byte("not a database, whatever its name may say"), 0o600); err != nil {
		t.Fatal(err)
	}
	expects(t, "garbage", examined(t, store, at), Failure, "cannot be read")
}

func TestMachine(t *testing.T) {
	t.Parallel()
	at := conf.Override{Path: "data.dir", Value: t.TempDir()}
	if state, text := worst(examined(t, clock, at)); state == Failure || strings.Contains(text, "has an advice") {
		t.Errorf("clock: %s\n%s", state, text)
	}
	if _, text := worst(examined(t, openFiles)); !strings.Contains(text, "open") || strings.Contains(text, "has an advice") {
		t.Errorf("files: %s", text)
	}
}

// TestExamine: every check reports under its name, and without a configuration there is one finding
// for each problem.
func TestExamine(t *testing.T) {
	t.Parallel()
	set := conf.Set{Overrides: []conf.Override{{Path: "data.dir", Value: t.TempDir()}}}
	seen := map[string]bool{}
	for _, f := range Examine(t.Context(), set.Load) {
		seen[f.Check] = true
	}
	for _, c := range checks {
		if !seen[c.name] {
			t.Errorf("%s reports nothing", c.name)
		}
	}
	set.Overrides = append(set.Overrides, conf.Override{Path: "log.level", Value: "x", From: "flag -x"}, conf.Override{Path: "nonsense", Value: "x"})
	if got := Examine(t.Context(), set.Load); len(got) != 2 || got[0].State != Failure || !strings.Contains(got[0].Text, "[flag -x]") {
		t.Errorf("%+v", got)
	}
	away := func(context.Context) (*conf.Merged, error) {
		return nil, &conf.Unreachable{Source: "etcd://x/y", Err: errors.New("refused")}
	}
	expects(t, "a centre that is away", Examine(t.Context(), away), Failure, "start the config centre")
}
