package chart_test

import (
	"strings"
	"testing"

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
		{"config: {data: {dir: /var}}", "config.data.dir"},
		{"config: {auth: {service_token: abcdefghijklmnop}}", "a secret does not belong into a ConfigMap"},
		{"config: {auth: {mode: dev}}", "config.auth.mode: use auth.mode"},
		{"registry: {type: nacos}", "registry.type nacos needs registry.addr"},
		{"registry: {type: zookeeper}", "registry/type"},
		{"ingress: {enabled: true}", "ingress.enabled needs ingress.hosts"},
		{"services: {im: {port: 0}}", "services/im/port"},
		{"quic: {enabled: true}", "quic.enabled needs quic.secretName"},
		{"config: {server: {quic: {addr: ':1'}}}", "config.server.quic.addr"},
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
