package chart_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/game-im/hermod/test/deploy/chart"
)

// joined is what nodes of a cluster need besides.
const joined = "database: {driver: postgres, secretName: db}\n"

// What cannot work is refused before anything is installed, with what to do about it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ values, want string }{
		{"auth: {mode: ''}", "auth.mode is required: jwt"},
		{"auth: {mode: dev}", "auth.mode dev believes everybody"},
		{"auth: {serviceToken: {secretName: ''}}", "auth.serviceToken.secretName is required"},
		{"auth: {mode: jwt}", "needs auth.jwt.jwksUrl or config.auth.jwt.keys"},
		{"auth: {mode: jwt, jwt: {jwksUrl: 'id.example.com'}}", "jwksUrl"},
		{"replicas: 3", "3 replicas need a database that they share"},
		{"autoscaling: {enabled: true, maxReplicas: 5}", "5 replicas need a database that they share"},
		{"replicas: 3\ndatabase: {driver: postgres, secretName: db}", "3 replicas need cluster.type nats (without cluster.addrs nothing else is to be installed) or redis"},
		{"autoscaling: {enabled: true, maxReplicas: 5}\ndatabase: {driver: mysql, secretName: db}", "5 replicas need cluster.type nats"},
		{"replicas: 3\ndatabase: {driver: postgres, secretName: db}\ncluster: {type: nats, secretName: c}", "3 replicas need one place for recordings"},
		{"database: {driver: postgres}", "database.driver postgres needs database.secretName: the secret whose key dsn has the DSN"},
		{"database: {driver: oracle}", "database/driver"},
		{"config: {data: {database: {driver: mysql}}}", "config.data.database.driver: use database.driver"},
		{"config: {data: {database: {dsn: x}}}", "config.data.database.dsn: use database.driver"},
		{"cluster: {type: nats, secretName: c}", "cluster.type nats is for nodes that share a database"},
		{"cluster: {type: kafka}", "cluster/type"},
		{joined + "cluster: {type: nats}", "needs cluster.secretName: a secret with the username and password"},
		{joined + "cluster: {type: redis}", "cluster.type redis needs cluster.addrs"},
		{joined + "cluster: {type: nats, addrs: 'n:4222', sharded: true}", "cluster.sharded is for nodes of a Redis Cluster; cluster.type is nats"},
		{joined + "cluster: {type: nats, secretName: c, tls: {enabled: true}}", "needs cluster.tls.secretName"},
		{joined + "cluster: {type: nats, addrs: 'n:4222'}\nconfig: {cluster: {password: x}}", "config.cluster.password: use cluster"},
		{"autoscaling: {enabled: true, minReplicas: 2}", "minReplicas is above"},
		{"replicas: -1", "replicas"},
		{"replica: 1", "replica"},
		{"stop: {notice: 20, drain: 10}", "(30 s together) must be shorter than stop.timeout (30 s)"},
		{"registry: {type: nacos, addr: 'nacos:8848'}\nstop: {notice: 18, drain: 10}", "the 3 s to leave the registry (31 s together)"},
		{"stop: {preStop: 5}", "stop.preStop needs Kubernetes 1.30"},
		{"config: {server: {stop: {timeout: 1m}}}", "config.server.stop: use stop"},
		{"config: {server: {im: {addr: ':1'}}}", "config.server.im.addr"},
		{"config: {server: {ops: {tls: {cert_file: /tls/tls.crt, key_file: /tls/tls.key}}}}", "config.server.ops.tls: the probes of the pod speak plain HTTP"},
		{"config: {data: {dir: /var}}", "config.data.dir"},
		{"config: {auth: {service_token: abcdefghijklmnop}}", "a secret does not belong into a ConfigMap"},
		{"config: {auth: {mode: dev}}", "config.auth.mode: use auth.mode"},
		{"registry: {type: nacos}", "registry.type nacos needs registry.addr"},
		{"registry: {type: zookeeper}", "registry/type"},
		{"ingress: {enabled: true}", "ingress.enabled needs ingress.hosts"},
		{"services: {im: {port: 0}}", "services/im/port"},
		{"quic: {enabled: true}", "quic.enabled needs quic.secretName"},
		{"config: {server: {quic: {addr: ':1'}}}", "config.server.quic.addr"},
		{"config: {room: 5}", "config/room"},
	} {
		cluster := chart.Cluster
		if strings.Contains(test.want, "Kubernetes") {
			cluster = "v1.29.0"
		}
		_, err := chart.Render("hermod", cluster, with(t, test.values))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "'", ""), test.want) {
			t.Errorf("%s: %v; want %q in it", test.values, err, test.want)
		}
	}
}

// ofTemplates is what a chart says that has stumbled over a value.
var ofTemplates = regexp.MustCompile(`nil pointer|interface \{\}|error calling|wrong type|%!`)

// TestKeysWithoutAValue are taken as not given, or are named: Helm takes the default of such a key away.
func TestKeysWithoutAValue(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(chart.Folder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(content, &values); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths("", values) {
		_, err := chart.Render("hermod", chart.Cluster, with(t, without(path)))
		name := path[strings.LastIndex(path, ".")+1:]
		if err != nil && (ofTemplates.MatchString(err.Error()) || !strings.Contains(err.Error(), name)) {
			t.Errorf("%s: %v; want it named", path, err)
		}
	}
}

// TestConfigWithoutAValue is as if the key were not there.
func TestConfigWithoutAValue(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"config", "config.auth", "config.auth.jwt", "config.cluster", "config.data", "config.data.blobs", "config.data.blobs.store", "config.data.database",
		"config.log", "config.room", "config.room.defaults", "config.server", "config.server.im",
	} {
		got := only[*corev1.ConfigMap](t, render(t, with(t, without(path)))).Data["hermod.yaml"]
		if strings.Contains(got, "null") || !strings.Contains(got, "drain: 10s") || !strings.Contains(got, "format: json") {
			t.Errorf("%s: the configuration is %s", path, got)
		}
	}
	cluster := joined + "replicas: 3\ncluster: {type: nats, secretName: c}\n"
	_, err := chart.Render("hermod", chart.Cluster, with(t, cluster+"config: {room: {defaults: {allow_audio: }}}"))
	if err == nil || !strings.Contains(err.Error(), "one place for recordings") {
		t.Errorf("recordings that are neither allowed nor not: %v", err)
	}
}

// paths are those of all values.
func paths(prefix string, values map[string]any) (all []string) {
	for key, value := range values {
		all = append(all, prefix+key)
		if below, ok := value.(map[string]any); ok {
			all = append(all, paths(prefix+key+".", below)...)
		}
	}
	return all
}

// without has the key of a path, and no value of it.
func without(path string) string {
	return "{" + strings.ReplaceAll(path, ".", ": {") + ": null" + strings.Repeat("}", strings.Count(path, ".")+1)
}
