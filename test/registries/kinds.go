package registries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nacosGRPC is how far Nacos' gRPC port is above its HTTP port: clients count on it.
const nacosGRPC = 1000

var (
	nacos = kind{
		program: program{module: "nacosd", pkg: "."},
		ports:   []int{nacosGRPC},
		args: func(port int, dir string) []string {
			return []string{"-port", strconv.Itoa(port), "-dir", dir}
		},
		ready: nacosReady,
	}
	alibabaNacos = kind{
		program: program{module: "alibabad", pkg: "Alibabad", java: &java{enabled: EnabledAlibaba, first: []string{"hessian-4.*.jar"}}},
		ports:   []int{nacosGRPC, nacosGRPC + 1, -nacosGRPC},
		args:    func(port int, dir string) []string { return []string{strconv.Itoa(port), dir} },
		ready: func(addr string) error {
			if err := answers("http://"+addr+"/nacos/v3/admin/core/state", `"code":0`); err != nil {
				return err
			}
			return nacosListens(addr)
		},
	}
	etcd = kind{
		program: program{module: "etcdd", pkg: "."},
		ports:   []int{1},
		args: func(port int, dir string) []string {
			return []string{"-port", strconv.Itoa(port), "-peer-port", strconv.Itoa(port + 1), "-dir", dir}
		},
		ready: func(addr string) error { return answers("http://"+addr+"/health", `"health":"true"`) },
	}
	consul = kind{
		program: program{module: "consuld", pkg: "github.com/hashicorp/consul"},
		ports:   []int{1, 2},
		args:    consulArgs,
		ready:   consulReady,
	}
	kafka = kind{
		program: program{module: "kafkad", pkg: "Kafkad", java: &java{enabled: EnabledKafka}},
		ports:   []int{1, kafkaKnown},
		args: func(port int, dir string) []string {
			return []string{strconv.Itoa(port), dir, KafkaUser, KafkaPassword}
		},
		ready: listens,
	}
	objects = kind{
		program: program{module: "objectd", pkg: "github.com/versity/versitygw/cmd/versitygw"},
		args:    objectArgs,
		ready:   func(addr string) error { return answers("http://"+addr+"/health", "OK") },
	}
)

// kafkaKnown is how far the port for those with a name and a password is above that for everybody.
const kafkaKnown = 2

// Who may come in by KafkaKnown.
const (
	KafkaUser     = "hermod-test"
	KafkaPassword = "hermod-test-secret"
)

// What opens the object store that StartObjects starts.
const (
	ObjectsRegion    = "us-east-1"
	ObjectsAccessKey = "hermod-test"
	ObjectsSecretKey = "hermod-test-secret"
)

// StartObjects starts an S3-compatible object store without buckets.
func StartObjects(t testing.TB) *Server {
	t.Helper()
	return start(t, objects)
}

// objectArgs keep what belongs to objects in files of their own: not every file system has attributes. The
// folders must be there; a server that misses them says so itself.
func objectArgs(port int, dir string) []string {
	about, kept := filepath.Join(dir, "about"), filepath.Join(dir, "objects")
	_ = errors.Join(os.MkdirAll(about, 0o700), os.MkdirAll(kept, 0o700))
	return []string{
		"--access", ObjectsAccessKey, "--secret", ObjectsSecretKey, "--region", ObjectsRegion,
		"--port", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), "--health", "/health", "--quiet",
		"posix", "--sidecar", about, kept,
	}
}

// StartNacos starts a server of the Nacos protocol, with neither users nor tokens. It has two faults
// that Alibaba's does not have: pushes reach subscribers of DEFAULT_GROUP only, so that tests are to
// be kept apart by namespace, and its instances appear to others a second later.
func StartNacos(t testing.TB) *Server {
	t.Helper()
	return start(t, nacos)
}

// StartAlibabaNacos starts Alibaba's own Nacos server, standalone and without users. It has neither of
// the faults of StartNacos, and keeps one instance only for each connection and service. See
// EnabledAlibaba.
func StartAlibabaNacos(t testing.TB) *Server {
	t.Helper()
	return start(t, alibabaNacos)
}

// StartEtcd starts an etcd server of one member, without users.
func StartEtcd(t testing.TB) *Server {
	t.Helper()
	return start(t, etcd)
}

// StartConsul starts a Consul server of one member, without ACLs. Addr is its HTTP port.
func StartConsul(t testing.TB) *Server {
	t.Helper()
	return start(t, consul)
}

// StartKafka starts Apache Kafka, one broker that is its own controller, without topics and with four partitions
// for each that is made without a number. Addr is open to everybody. See EnabledKafka.
func StartKafka(t testing.TB) *Server {
	t.Helper()
	return start(t, kafka)
}

// KafkaKnown is the address of a server by StartKafka where clients say who they are, by PLAIN, SCRAM-SHA-256 or
// SCRAM-SHA-512.
func KafkaKnown(s *Server) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port()+kafkaKnown))
}

// nacosReady asks both listeners, which start one after the other.
func nacosReady(addr string) error {
	if err := answers("http://"+addr+"/nacos/v1/ns/operator/metrics", ""); err != nil {
		return err
	}
	return nacosListens(addr)
}

// nacosListens tries the gRPC port.
func nacosListens(addr string) error {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	return listens(net.JoinHostPort(host, strconv.Itoa(port+nacosGRPC)))
}

// listens tells whether connections are taken at an address.
func listens(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// consulArgs make a server that keeps its data, which -dev does not, and elects itself at once.
func consulArgs(port int, dir string) []string {
	return []string{
		"agent", "-server", "-bootstrap", "-node=test", "-data-dir=" + dir,
		"-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=warn",
		"-hcl", fmt.Sprintf("ports { http = %d, server = %d, serf_lan = %d, serf_wan = -1, dns = -1, grpc = -1 }", port, port+1, port+2),
		"-hcl", "performance { raft_multiplier = 1 }",
		"-hcl", "disable_update_check = true",
	}
}

// consulReady waits for a leader that has taken the agent into its catalog: before, services that
// register are not to be found.
func consulReady(addr string) error {
	if err := answers("http://"+addr+"/v1/status/leader", ":"); err != nil {
		return err
	}
	return answers("http://"+addr+"/v1/health/node/test", "serfHealth")
}

// answers tells whether a page is served and says something.
func answers(url, says string) error { return asked(http.DefaultClient, url, "", says) }

// asked is answers for a server that wants to see a token, which is Consul.
func asked(c *http.Client, url, token, says string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("X-Consul-Token", token)
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), says) {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return nil
}
