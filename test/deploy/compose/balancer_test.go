package compose_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/game-im/hermod/test/deploy/image"
	"github.com/game-im/hermod/test/loopback"
)

// composedPorts are those that the balancer has, and a node behind each.
var composedPorts = []string{"8080", "8081", "8082", "8083"}

// behind is a node as composed, but for its addresses, and alone: the balancer does not notice.
type behind struct {
	*image.Process
	at map[string]string // addresses by composed port
}

func startNode(t *testing.T, built *image.Image, name, config string) *behind {
	t.Helper()
	n := &behind{at: map[string]string{}}
	var env []string
	for _, pair := range environment(load(t, "embedded").Services[name]) {
		key, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(key, "HERMOD_CLUSTER_") || strings.HasPrefix(key, "HERMOD_DB_") {
			continue
		}
		if _, port, err := net.SplitHostPort(value); err == nil && strings.HasPrefix(value, "0.0.0.0:") {
			n.at[port] = loopback.Addr(t)
			value = n.at[port]
		}
		env = append(env, key+"="+value)
	}
	process, err := built.Start(t.Context(), image.Container{
		Args: []string{"-conf", "/etc/hermod/hermod.yaml"}, Env: env, ReadOnlyRoot: true,
		Mounts: map[string]string{"/data": image.Volume(t), "/tmp": image.Volume(t), "/etc/hermod": config},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Process = process
	return n
}

// startBalancer starts HAProxy with the composed configuration, in which addresses are those of the nodes, and
// returns its own by composed port.
func startBalancer(t *testing.T, all map[string]*behind) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, "cluster", "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(content), "check port 8081", "check", 1)
	at := map[string]string{}
	for _, port := range composedPorts {
		at[port] = loopback.Addr(t)
		config = strings.ReplaceAll(config, "bind :"+port+"\n", "bind "+at[port]+"\n")
		for name, n := range all {
			_, ops, err := net.SplitHostPort(n.at["8081"])
			if err != nil {
				t.Fatal(err)
			}
			config = strings.ReplaceAll(config, name+":"+port+"\n", n.at[port]+" port "+ops+"\n")
		}
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("haproxy", "-db", "-f", file)
	output := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy: %s\n%s", output, config)
		}
	})
	return at
}

// TestBalancerFollowsReadiness runs HAProxy as composed before three nodes: it carries gRPC, WebSocket and REST,
// and while a node stops not one request fails, nor is a connection cut that the node itself has not closed.
func TestBalancerFollowsReadiness(t *testing.T) {
	if _, err := exec.LookPath("haproxy"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("on CI the balancer is tested, which needs haproxy")
		}
		t.Skip("needs HAProxy (Debian: haproxy)")
	}
	dir := t.TempDir()
	built, err := image.Build(t.Context(), repository, dir, map[string]string{"APP": "hermod"})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(folder, "cluster", "hermod.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := image.Volume(t)
	content = []byte(strings.Replace(string(content), "drain: 30s", "drain: 2s", 1))
	if err := os.WriteFile(filepath.Join(config, "hermod.yaml"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	all := map[string]*behind{}
	for _, name := range nodes {
		all[name] = startNode(t, built, name, config)
	}
	for _, n := range all {
		image.Await(t, n.Process, "http://"+n.at["8081"]+"/readyz")
	}
	at := startBalancer(t, all)
	image.Await(t, all[nodes[0]].Process, "http://"+at["8081"]+"/readyz")

	checkGRPC(t, at["8083"], "im.v1.IMService")
	checkGRPC(t, at["8082"], "hermod.gateway.v1.GatewayService")
	checkREST(t, at["8081"])
	var sockets []*socket
	for range 2 * len(nodes) {
		sockets = append(sockets, openSocket(t, at["8080"]))
	}
	there := sessions(t, all[nodes[1]])
	stopUnderLoad(t, all[nodes[1]], "http://"+at["8080"]+"/stats")
	open := 0
	for _, s := range sockets {
		if s.open(t) {
			open++
		}
	}
	if there == 0 || open != len(sockets)-there {
		t.Errorf("%d of %d connections are open when a node has stopped that had %d", open, len(sockets), there)
	}
}

// sessions is how many a node has.
func sessions(t *testing.T, n *behind) int {
	t.Helper()
	response, err := http.Get("http://" + n.at["8080"] + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var stats struct {
		Total int `json:"total_sessions"`
	}
	if err := json.NewDecoder(response.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.Total
}

// checkGRPC has a connection of the balancer's answer as a node's does.
func checkGRPC(t *testing.T, addr, service string) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("%s: %v, %v", service, answer, err)
	}
}

// checkREST: the push API is for services, and what is about one node for nobody.
func checkREST(t *testing.T, addr string) {
	t.Helper()
	for path, want := range map[string]int{"/v1/sessions": http.StatusOK, "/metrics": http.StatusNotFound, "/healthz": http.StatusNotFound, "/debug/pprof/": http.StatusNotFound} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer for-trying-out-only")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, response.StatusCode, want)
		}
	}
}

// stopUnderLoad stops a node while others ask on fresh connections.
func stopUnderLoad(t *testing.T, n *behind, url string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for asked := 0; ; asked++ {
				select {
				case <-done:
					if asked == 0 {
						t.Error("nobody asked")
					}
					return
				default:
				}
				response, err := client.Get(url)
				if err != nil {
					t.Error(err)
					continue
				}
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Errorf("status %s", response.Status)
				}
			}
		})
	}
	err := n.Stop()
	close(done)
	asking.Wait()
	if err != nil {
		t.Errorf("stopping: %v\n%s", err, n.Output())
	}
}

// socket is a WebSocket connection.
type socket struct {
	net.Conn
	from *bufio.Reader
}

// openSocket shakes hands for a stream of im.v1.
func openSocket(t *testing.T, addr string) *socket {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /im HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: im.v1.json\r\nUser-Id: alice\r\n\r\n", addr)
	s := &socket{Conn: conn, from: bufio.NewReader(conn)}
	response, err := http.ReadResponse(s.from, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	return s
}

// open tells whether nobody has closed the connection. Pings, frames that wait, are read away.
func (s *socket) open(t *testing.T) bool {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, s.from)
	return os.IsTimeout(err)
}
