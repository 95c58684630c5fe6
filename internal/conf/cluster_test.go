package conf

import (
	"strings"
	"testing"
)

// TestWhoIsANodeWithinACluster: nodes that run NATS themselves take whoever shows a certificate of their authority, or
// knows their password. One of any authority of the system is something that everybody gets.
func TestWhoIsANodeWithinACluster(t *testing.T) {
	t.Parallel()
	const wrong = "cluster.tls.ca_file: is empty"
	for name, c := range map[string]struct {
		cluster string
		refused bool
	}{
		"no authority":               {"type: nats, tls: {enabled: true, cert_file: c, key_file: k}", true},
		"an authority":               {"type: nats, tls: {enabled: true, cert_file: c, key_file: k, ca_file: a}", false},
		"a password":                 {"type: nats, username: u, password: p, tls: {enabled: true, cert_file: c, key_file: k}", false},
		"servers that are elsewhere": {"type: nats, addrs: 'a:1', tls: {enabled: true}", false},
		"no TLS":                     {"type: nats", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadText("auth: {mode: trusted, service_token: 0123456789abcdef}\ncluster: {"+c.cluster+"}", nil)
			if refused := err != nil && strings.Contains(err.Error(), wrong); refused != c.refused {
				t.Errorf("refused: %v, want %v: %v", refused, c.refused, err)
			}
		})
	}
}
