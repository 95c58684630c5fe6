package compose_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/game-im/hermod/test/deploy/image"
)

// nodes are the services of a cluster that are nodes.
var nodes = []string{"hermod-1", "hermod-2", "hermod-3"}

// clusters runs a test for every project that is a cluster.
func clusters(t *testing.T, test func(t *testing.T, name string, project *types.Project)) {
	t.Helper()
	each(t, func(t *testing.T, name string, project *types.Project) {
		if name != "one" {
			test(t, name, project)
		}
	})
}

// settings are a node's, by key, as hermodctl prints them.
type settings map[string]any

func (s settings) text(key string) string {
	text, _ := s[key].(string)
	return text
}

// TestNodesAgree has the configuration of every node read by hermodctl as the node reads it: all of them are
// right, and the same, but for the one key that says who the node is.
func TestNodesAgree(t *testing.T) {
	t.Parallel()
	ctl, err := image.Build(t.Context(), repository, t.TempDir(), map[string]string{"APP": "hermodctl"})
	if err != nil {
		t.Fatal(err)
	}
	clusters(t, func(t *testing.T, name string, project *types.Project) {
		first := configuration(t, ctl, project.Services[nodes[0]])
		for _, node := range nodes {
			s := configuration(t, ctl, project.Services[node])
			checkEngine(t, name, node, project, s)
			checkStop(t, node, project, s)
			s["cluster.embedded.advertise"] = first["cluster.embedded.advertise"]
			for key, value := range s {
				if !reflect.DeepEqual(value, first[key]) {
					t.Errorf("%s: %s is %v, and %v on %s", node, key, value, first[key], nodes[0])
				}
			}
		}
	})
}

// configuration reads what a service's environment, arguments and mounts make of it.
func configuration(t *testing.T, ctl *image.Image, service types.ServiceConfig) settings {
	t.Helper()
	if len(service.Command) != 2 || service.Command[0] != "-conf" {
		t.Fatalf("%s is started with %v", service.Name, service.Command)
	}
	out, err := ctl.Run(t.Context(), image.Container{
		Args: []string{"config", "print", "--json", service.Command[1]}, Env: environment(service), Mounts: binds(service),
	})
	if err != nil {
		t.Fatalf("%s: %v\n%s", service.Name, err, out)
	}
	var keys []struct {
		Key   string
		Value any
	}
	if err := json.Unmarshal([]byte(out), &keys); err != nil {
		t.Fatalf("%s: %v\n%s", service.Name, err, out)
	}
	s := settings{}
	for _, k := range keys {
		s[k.Key] = k.Value
	}
	return s
}

func environment(service types.ServiceConfig) (env []string) {
	for name, value := range service.Environment {
		if value != nil {
			env = append(env, name+"="+*value)
		}
	}
	return env
}

// binds are the files of the repository that a service sees, by where.
func binds(service types.ServiceConfig) map[string]string {
	found := map[string]string{}
	for _, volume := range service.Volumes {
		if volume.Type == types.VolumeTypeBind {
			found[volume.Target] = volume.Source
		}
	}
	return found
}

// checkEngine holds where a node looks for the engine, the others and the database against the project.
func checkEngine(t *testing.T, name, node string, project *types.Project, s settings) {
	t.Helper()
	want := map[string]string{"embedded": "nats", "nats": "nats", "redis": "redis"}[name]
	if s.text("cluster.type") != want || s.text("cluster.name") == "" {
		t.Errorf("%s: cluster.type %q, cluster.name %q", node, s["cluster.type"], s["cluster.name"])
	}
	if addr := s.text("cluster.addrs"); name == "embedded" {
		checkRoutes(t, node, s)
	} else if port := map[string]string{"nats": "4222", "redis": "6379"}[name]; addr != name+":"+port {
		t.Errorf("%s: cluster.addrs %q; the engine is the service %s, which listens on %s", node, addr, name, port)
	}
	if s.text("data.database.driver") != "postgres" {
		t.Errorf("%s: the database is %v", node, s["data.database.driver"])
	}
	after := map[string]string{"embedded": "", "nats": "nats", "redis": "redis"}[name]
	for _, other := range []string{"postgres", after} {
		if d, ok := project.Services[node].DependsOn[other]; other != "" && (!ok || d.Condition != types.ServiceConditionHealthy) {
			t.Errorf("%s: does not wait for %s to be healthy", node, other)
		}
		if other != "" && project.Services[other].HealthCheck == nil {
			t.Errorf("nobody knows whether %s is healthy", other)
		}
	}
}

// checkRoutes holds the routes of NATS within the nodes against each other.
func checkRoutes(t *testing.T, node string, s settings) {
	t.Helper()
	var want []string
	for _, n := range nodes {
		want = append(want, n+":6222")
	}
	if got := strings.Split(s.text("cluster.embedded.routes"), ","); !slices.Equal(got, want) {
		t.Errorf("%s: routes %v, want %v", node, got, want)
	}
	if got := s.text("cluster.embedded.listen"); got != "0.0.0.0:6222" {
		t.Errorf("%s: listens for routes on %s", node, got)
	}
	if got := s.text("cluster.embedded.advertise"); got != node+":6222" {
		t.Errorf("%s: says that it is %s", node, got)
	}
}

// checkStop: whoever kills a node before it has stopped by itself loses what was in flight, and a balancer
// has to see it say that it is not ready.
func checkStop(t *testing.T, node string, project *types.Project, s settings) {
	t.Helper()
	of := map[string]time.Duration{}
	for _, key := range []string{"notice", "drain", "timeout"} {
		d, err := time.ParseDuration(s.text("server.stop." + key))
		if err != nil {
			t.Fatalf("%s: server.stop.%s: %v", node, key, err)
		}
		of[key] = d
	}
	if grace := project.Services[node].StopGracePeriod; grace == nil || time.Duration(*grace) <= of["timeout"] {
		t.Errorf("%s: is killed after %v; server.stop.timeout is %v", node, grace, of["timeout"])
	}
	if of["notice"] < 3*time.Second || of["drain"] < 10*time.Second {
		t.Errorf("%s: notice %v, drain %v", node, of["notice"], of["drain"])
	}
}

// TestRecordingsAreShared: what was uploaded to one node is fetched from any, and nothing else is shared.
func TestRecordingsAreShared(t *testing.T) {
	t.Parallel()
	clusters(t, func(t *testing.T, _ string, project *types.Project) {
		for _, node := range nodes {
			shared := 0
			for _, volume := range project.Services[node].Volumes {
				if volume.Type != types.VolumeTypeVolume {
					continue
				}
				shared++
				if volume.Source != "recordings" || volume.Target != "/data/blobs" || volume.ReadOnly {
					t.Errorf("%s: has %s at %s, read-only %v", node, volume.Source, volume.Target, volume.ReadOnly)
				}
			}
			if shared != 1 || !project.Services[node].ReadOnly {
				t.Errorf("%s: %d volumes; its root is read-only: %v", node, shared, project.Services[node].ReadOnly)
			}
		}
	})
}

var (
	bindLine   = regexp.MustCompile(`^\s+bind :(\d+)$`)
	serverLine = regexp.MustCompile(`^\s+server (\S+) (\S+)$`)
)

// TestBalancerKnowsAllNodes: each of its ports leads to that port of every node, and is published.
func TestBalancerKnowsAllNodes(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(folder, "cluster", "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	servers := map[string][]string{} // by port
	var port string
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\n")
		if m := bindLine.FindStringSubmatch(line); m != nil {
			port = m[1]
		} else if m := serverLine.FindStringSubmatch(line); m != nil {
			if m[2] != net.JoinHostPort(m[1], port) {
				t.Errorf("port %s leads to %s", port, m[2])
			}
			servers[port] = append(servers[port], m[1])
		}
	}
	clusters(t, func(t *testing.T, _ string, project *types.Project) {
		published := map[string]bool{}
		for _, p := range project.Services["balancer"].Ports {
			published[p.Published] = true
			if !slices.Equal(servers[p.Published], nodes) {
				t.Errorf("port %s leads to %v", p.Published, servers[p.Published])
			}
		}
		for _, node := range nodes {
			for name, value := range project.Services[node].Environment {
				_, port, err := net.SplitHostPort(*value)
				if err != nil || !strings.HasSuffix(name, "_ADDR") || !strings.HasPrefix(*value, "0.0.0.0:") {
					continue
				}
				if !published[port] {
					t.Errorf("%s: %s is %s, which the balancer does not publish", node, name, *value)
				}
			}
		}
		if len(published) != len(servers) {
			t.Errorf("published %v, and the balancer listens on %v", published, servers)
		}
	})
}

// TestEnginesAreThoseOfTheTests: what nodes were tested with is what is composed.
func TestEnginesAreThoseOfTheTests(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`github.com/nats-io/nats-server/v2 v(\d+\.\d+)\.`).FindSubmatch(content)
	if m == nil {
		t.Fatal("go.mod names no nats-server")
	}
	if got := load(t, "nats").Services["nats"].Image; got != "nats:"+string(m[1])+"-alpine" {
		t.Errorf("composed with %s; nodes have nats-server %s within them", got, m[1])
	}
}
