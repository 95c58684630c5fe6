package conf

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	const token = "auth: {mode: trusted, service_token: 0123456789abcdef}\n"
	const server = "data: {database: {driver: postgres, dsn: 'postgres://db/hermod'}}\n"
	for name, c := range map[string]struct{ text, path, says string }{
		"unknown section":      {"serve: {}", "serve", "did you mean server?"},
		"unknown nested key":   {"server: {im: {address: x}}", "server.im.address", "allowed here: addr"},
		"text for words":       {"audio: {formats: opus}", "audio.formats", "must be a list, not a single value"},
		"section for words":    {"audio: {formats: {a: b}}", "audio.formats", "must be a list, not a section"},
		"nothing for words":    {"audio: {formats: }", "audio.formats", "must be a list, not nothing"},
		"section for a word":   {"audio: {formats: [opus, {a: b}]}", "audio.formats[1]", "must be a text, not a section"},
		"nothing for a word":   {"audio: {formats: [~]}", "audio.formats[0]", "must be a text, not nothing"},
		"missing word":         {"audio: {formats: [mp3, '${NOWHERE_TO_BE_FOUND}', mp3]}", "audio.formats[1]", "is not set"},
		"no words":             {"audio: {formats: []}", "audio.formats", "name at least one"},
		"a strange format":     {"audio: {formats: [a/b]}", "audio.formats[0]", "letters in lower case"},
		"a long format":        {"audio: {formats: [abcdefghijklmnopq]}", "audio.formats[0]", "1 to 16"},
		"a format twice":       {"audio: {formats: [mp3, opus, mp3]}", "audio.formats[2]", "in the list already"},
		"a short url secret":   {"audio: {url: {secrets: 'short'}}", "audio.url.secrets", "openssl rand -hex 32"},
		"a url secret twice":   {"audio: {url: {secrets: '01234567890123456789012345678901,01234567890123456789012345678901'}}", "audio.url.secrets", "number 2 is there twice"},
		"s3 without a place":   {"data: {blobs: {store: s3, s3: {bucket: b}}}", "data.blobs.s3.endpoint", "not an http or https address"},
		"s3 with a path":       {"data: {blobs: {store: s3, s3: {bucket: b, endpoint: 'http://s3/b'}}}", "data.blobs.s3.endpoint", "of a host"},
		"s3 without a bucket":  {"data: {blobs: {store: s3, s3: {endpoint: 'http://s3'}}}", "data.blobs.s3.bucket", "not the name of a bucket"},
		"half of a key":        {"data: {blobs: {store: s3, s3: {bucket: b, endpoint: 'http://s3', access_key: a}}}", "data.blobs.s3.secret_key", "belong together"},
		"two s3 credentials":   {"data: {blobs: {store: s3, s3: {bucket: b, endpoint: 'http://s3', access_key: a, secret_key: b, credentials_file: f}}}", "data.blobs.s3.credentials_file", "one of them"},
		"a profile of no file": {"data: {blobs: {store: s3, s3: {bucket: b, endpoint: 'http://s3', profile: p}}}", "data.blobs.s3.profile", "there is none"},
		"a strange prefix":     {"data: {blobs: {store: s3, s3: {bucket: b, endpoint: 'http://s3', prefix: /a}}}", "data.blobs.s3.prefix", "cannot begin"},
		"no kind of blobs":     {"data: {blobs: {store: S3}}", "data.blobs.store", "did you mean s3?"},
		"dev for browsers":     {"server: {http: {addr: ':8080'}}", "server.http.addr", "can be reached from other machines"},
		"no public url":        {"server: {http: {public_url: 'chat.example.com'}}", "server.http.public_url", "not an http or https address"},
		"ftp":                  {"server: {http: {public_url: 'ftp://chat.example.com'}}", "server.http.public_url", "not an http or https address"},
		"a page, no origin":    {"server: {http: {allowed_origins: ['https://chat.example.com/im']}}", "server.http.allowed_origins[0]", "more than an origin"},
		"a host, no origin":    {"server: {http: {allowed_origins: ['*', 'chat.example.com']}}", "server.http.allowed_origins[1]", "write scheme://host"},
		"a star in the middle": {"server: {http: {allowed_origins: ['https://chat.*.com']}}", "server.http.allowed_origins[0]", "no origin"},
		"public url with more": {"server: {http: {public_url: 'https://chat.example.com/?a'}}", "server.http.public_url", "a query"},
		"unlike any key":       {"zzz: 1", "zzz", "no such key; allowed here: log, server"},
		"key of another type":  {"{[a]: 1}", `""`, "no such key"},
		"text for a section":   {"server: hello", "server", "must be a section with the keys im, gateway"},
		"list for a section":   {"server: [1]", "server", "not a list"},
		"section for a scalar": {"log: {level: {a: b}}", "log.level", "must be a text, not a section"},
		"section for a list":   {"auth: {jwt: {keys: {a: b}}}", "auth.jwt.keys", "must be a list, not a section"},
		"text for a list item": {"auth: {jwt: {keys: [x]}}", "auth.jwt.keys[0]", "must be a section"},
		"nothing":              {"session: {heartbeat: }", "session.heartbeat", "has no value; give a duration"},
		"nothing for a text":   {"data: {dir: ~}", "data.dir", `write ""`},
		"given twice":          {"log: {level: info}\nlog: {format: json}", "log", "given twice, first on line 1"},
		"two documents":        {"log: {}\n---\nlog: {}", "", "only one YAML document"},
		"no YAML":              {"log: {level", "", "line 1"},
		"a list as the file":   {"- a", "", "must be a section"},
		"text for a number":    {"push: {max_targets: many}", "push.max_targets", "not a whole number"},
		"fraction":             {"push: {max_targets: 1.5}", "push.max_targets", "not a whole number"},
		"number out of range":  {"push: {max_targets: 99999999999}", "push.max_targets", "allowed is 1 to 1000000"},
		"wrong unit":           {"session: {queue_bytes: 1MB}", "session.queue_bytes", "KiB, MiB or GiB"},
		"size overflow":        {"session: {queue_bytes: 9999999999999GiB}", "session.queue_bytes", "is not a size"},
		"size too large":       {"session: {queue_bytes: 2GiB}", "session.queue_bytes", "2GiB is too large; at most 1GiB"},
		"no unit":              {"session: {heartbeat: 30}", "session.heartbeat", "write 30s if seconds are meant"},
		"no duration":          {"session: {heartbeat: soon}", "session.heartbeat", "write it like 250ms"},
		"negative":             {"session: {resume_window: -1s}", "session.resume_window", "-1s is too small; at least 0s"},
		"longer than forever":  {"push: {inbox_ttl: 99999h}", "push.inbox_ttl", "at most 87600h"},
		"missing variable":     {"data: {dir: '${NOWHERE_TO_BE_FOUND}'}", "data.dir", "variable NOWHERE_TO_BE_FOUND is not set"},
		"unclosed placeholder": {"data: {dir: '${A'}", "data.dir", "a placeholder is ${NAME}"},
		"nested placeholder":   {"data: {dir: '${A:${B:c}}'}", "data.dir", "a placeholder is ${NAME}"},
		"no variable name":     {"data: {dir: '${a.b:c}'}", "data.dir", "a placeholder is ${NAME}"},
		"empty directory":      {"data: {dir: ''}", "data.dir", "is empty"},
		"other database":       {"data: {database: {driver: oracle}}", "data.database.driver", "one of sqlite"},
		"a server's URL":       {"data: {database: {dsn: 'postgres://hermod:hunter2@db:5432/hermod'}}", "data.database.dsn", "set data.database.driver to postgres or mysql"},
		"MySQL's address":      {"data: {database: {dsn: 'hermod:hunter2@tcp(db:3306)/hermod?tls=true'}}", "data.database.dsn", "sqlite takes the path of a file"},
		"no address":           {"data: {database: {driver: mysql}}", "data.database.dsn", "such as user:password@tcp(host:3306)/hermod (HERMOD_DB_DSN sets it)"},
		"keywords of libpq":    {"data: {database: {dsn: 'host=db user=hermod password=hunter2'}}", "data.database.dsn", "sqlite takes the path of a file"},
		"small log queue":      {"data: {log: {queue_messages: 10}}", "data.log.queue_messages", "at least data.log.batch_rows, which is 512"},
		"no time to leave":     {token + "server: {stop: {notice: 2s, drain: 1s, timeout: 6s}}\nregistry: {type: etcd, addrs: 'etcd:2379'}", "server.stop.timeout", "leaving the registry (3s), notice and drain take 6s"},
		"stop too short":       {"server: {stop: {notice: 10s, drain: 5s}}", "server.stop.timeout", "notice and drain take 15s"},
		"port too large":       {"server: {ops: {addr: 'localhost:65536'}}", "server.ops.addr", "0 to 65535"},
		"named port":           {"server: {ops: {addr: 'localhost:http'}}", "server.ops.addr", "0 to 65535"},
		"bad host":             {"server: {ops: {addr: 'a b:1'}}", "server.ops.addr", "the host is"},
		"same address":         {"server: {ops: {addr: '127.0.0.1:8083'}}", "server.ops.addr", "taken by server.im.addr"},
		"dev for everybody":    {"server: {im: {addr: ':8083'}}", "server.im.addr", "listen on 127.0.0.1, or set auth.mode to jwt"},
		"dev on a host":        {"server: {gateway: {addr: '10.0.0.1:1'}}", "server.gateway.addr", "can be reached from other machines"},
		"no service token":     {"auth: {mode: trusted}", "auth.service_token", "auth.mode trusted needs one of at least 16"},
		"short service token":  {"auth: {mode: ldap, service_token: hunter2}", "auth.service_token", "has 7 characters"},
		"odd service token":    {"auth: {service_token: 'two words'}", "auth.service_token", "cannot be sent in a header"},
		"a route to nowhere":   {"upstream: {routes: [{action: 'a.'}]}", "upstream.routes[0].service", "make a name"},
		"a route by no zone":   {"upstream: {routes: [{service: a, zones: ['001', '007']}]}", "upstream.routes[0].zones[1]", "001 to 006 are"},
		"a route by own zones": {"upstream: {zones: [{name: n, openids: 1-5}], routes: [{service: a, zones: ['001']}]}", "upstream.routes[0].zones[0]", "upstream.zones has n"},
		"a header of no name":  {"upstream: {routes: [{service: a, header: '=x'}]}", "upstream.routes[0].header", "write name=value"},
		"a service of no name": {"upstream: {services: [{name: 'a b'}]}", "upstream.services[0].name", "make a name"},
		"a service twice":      {"upstream: {services: [{name: a}, {name: a}]}", "upstream.services[1].name", "earlier service"},
		"a service unused":     {"upstream: {services: [{name: a, targets: ['a:1']}]}", "upstream.services[0].targets", "no route leads to"},
		"a target with http":   {"upstream: {routes: [{service: a}], services: [{name: a, targets: ['http://a:1']}]}", "upstream.services[0].targets[0]", "without a scheme"},
		"a target, no port":    {"upstream: {routes: [{service: a}], services: [{name: a, targets: ['a:1', a]}]}", "upstream.services[0].targets[1]", "host:port or discovery"},
		"a target twice":       {"upstream: {routes: [{service: a}], services: [{name: a, targets: ['a:1', 'a:1']}]}", "upstream.services[0].targets[1]", "there twice"},
		"nothing to look in":   {"upstream: {routes: [{service: a}], services: [{name: a, targets: ['discovery:///a']}]}", "upstream.services[0].targets[0]", "registry.type is none"},
		"nothing to look for":  {"upstream: {routes: [{service: a}], services: [{name: a, targets: ['discovery:///']}]}", "upstream.services[0].targets[0]", "expected after discovery"},
		"a strange balance":    {"upstream: {services: [{name: a, balance: random}]}", "upstream.services[0].balance", "one of least_busy, hash"},
		"a long call":          {"upstream: {services: [{name: a, timeout: 11m}]}", "upstream.services[0].timeout", "at most 10m"},
		"a zone of no name":    {"upstream: {zones: [{openids: 1-5}]}", "upstream.zones[0].name", "name without spaces"},
		"a zone of no range":   {"upstream: {zones: [{name: a, openids: '7'}]}", "upstream.zones[0].openids", "like 10000-24999"},
		"a zone backwards":     {"upstream: {zones: [{name: a, openids: 5-1}]}", "upstream.zones[0].openids", "like 10000-24999"},
		"zones that overlap":   {"upstream: {zones: [{name: a, openids: 1-5}, {name: b, openids: 5-9}]}", "upstream.zones[1].openids", `zone "a"`},
		"half a certificate":   {"upstream: {tls: {cert_file: a}}", "upstream.tls.cert_file", "together"},
		"no authority":         {"upstream: {tls: {ca_file: /nowhere/ca.pem}}", "upstream.tls.ca_file", "/nowhere/ca.pem"},
		"other registry":       {"registry: {type: Zookeeper}", "registry.type", "one of none, nacos, etcd, consul, or what is linked"},
		"dev and a registry":   {"registry: {type: etcd, addrs: 'a:1'}", "registry.type", "auth.mode dev believes every caller"},
		"no registry address":  {token + "registry: {type: etcd}", "registry.addrs", "HERMOD_REGISTRY_ADDR"},
		"bad registry address": {token + "registry: {type: etcd, addrs: 'a:1, b'}", "registry.addrs", `"b" is not an address`},
		"registry on no host":  {token + "registry: {type: etcd, addrs: ':1'}", "registry.addrs", "cannot be connected to"},
		"two Consul agents":    {token + "registry: {type: consul, addrs: 'a:1,b:1'}", "registry.addrs", "one Consul agent"},
		"group in etcd":        {token + "registry: {type: etcd, addrs: 'a:1', group: g}", "registry.group", "belongs to nacos; registry.type is etcd"},
		"token for nacos":      {token + "registry: {type: nacos, addrs: 'a:1', token: t}", "registry.token", "belongs to consul"},
		"user of consul":       {token + "registry: {type: consul, addrs: 'a:1', username: u}", "registry.username", "belongs to nacos and etcd"},
		"registry weight":      {token + "registry: {weight: 0}", "registry.weight", "at least 1"},
		"registry key alone":   {token + "registry: {type: etcd, addrs: 'a:1', tls: {enabled: true, key_file: /absent.pem}}", "registry.tls.cert_file", "given together"},
		"absent authority":     {token + "registry: {type: etcd, addrs: 'a:1', tls: {enabled: true, ca_file: /absent.pem}}", "registry.tls.ca_file", "no such file"},
		"bad service name":     {token + "registry: {type: etcd, addrs: 'a:1', names: {im: 'a/b'}}", "registry.names.im", "hyphens and underscores"},
		"same service name":    {token + "registry: {type: etcd, addrs: 'a:1', names: {im: gateway-service.grpc}}", "registry.names.gateway", "taken by registry.names.im"},
		"own metadata":         {token + "registry: {type: etcd, addrs: 'a:1', metadata: [{name: weight, value: x}]}", "registry.metadata[0].name", "set by the node itself"},
		"metadata twice":       {token + "registry: {type: etcd, addrs: 'a:1', metadata: [{name: a}, {name: a}]}", "registry.metadata[1].name", "an earlier entry"},
		"nameless metadata":    {token + "registry: {type: etcd, addrs: 'a:1', metadata: [{value: a}]}", "registry.metadata[0].name", "without spaces"},
		"other cluster":        {token + server + "cluster: {type: Kafka}", "cluster.type", "one of none, nats, redis, or what is linked"},
		"cluster on a file":    {token + "cluster: {type: nats, addrs: 'a:1'}", "cluster.type", "one node owns a SQLite file"},
		"dev and a cluster":    {server + "cluster: {type: nats, addrs: 'a:1'}", "cluster.type", "auth.mode dev believes every caller"},
		"no Redis address":     {token + server + "cluster: {type: redis}", "cluster.addrs", "HERMOD_CLUSTER_ADDR"},
		"two Redis servers":    {token + server + "cluster: {type: redis, addrs: 'a:1,b:1'}", "cluster.addrs", "cluster.redis.sharded"},
		"bad cluster address":  {token + server + "cluster: {type: nats, addrs: ':1'}", "cluster.addrs", "cannot be connected to"},
		"NATS in shards":       {token + server + "cluster: {type: nats, addrs: 'a:1', redis: {sharded: true}}", "cluster.redis.sharded", "belongs to redis"},
		"strange cluster name": {token + server + "cluster: {type: nats, addrs: 'a:1', name: 'a.b'}", "cluster.name", "letters, digits"},
		"token for Redis":      {token + server + "cluster: {type: redis, addrs: 'a:1', token: t}", "cluster.token", "belongs to nats"},
		"token within":         {token + server + "cluster: {type: nats, token: t}", "cluster.token", "a username and a password"},
		"two credentials":      {token + server + "cluster: {type: nats, addrs: 'a:1', token: t, nkey_file: f}", "cluster.nkey_file", "exclude each other"},
		"no cluster password":  {token + server + "cluster: {type: redis, addrs: 'a:1', username: u}", "cluster.password", "given together"},
		"routes to nowhere":    {token + server + "cluster: {type: nats, embedded: {routes: 'a'}}", "cluster.embedded.routes", "not an address"},
		"no port for routes":   {token + server + "cluster: {type: nats, embedded: {listen: 'a:0'}}", "cluster.embedded.listen", "host:port"},
		"no certificate":       {token + server + "cluster: {type: nats, tls: {enabled: true}}", "cluster.tls.cert_file", "show each other a certificate"},
		"advertise nowhere":    {token + "registry: {type: etcd, addrs: 'a:1', advertise: {host: '::'}}", "registry.advertise.host", "not the address of one machine"},
		"advertise a port":     {token + "registry: {type: etcd, addrs: 'a:1', advertise: {host: 'a:1'}}", "registry.advertise.host", "without brackets or port"},
		"no mode":              {"auth: {mode: ''}", "auth.mode", "is empty"},
		"jwt without keys":     {strings.Replace(token, "trusted", "jwt", 1), "auth.jwt", "set auth.jwt.keys or auth.jwt.jwks_url"},
		"bad jwks url":         {"auth: {jwt: {jwks_url: 'ftp://x/y'}}", "auth.jwt.jwks_url", "not an http or https address"},
		"no user claim":        {"auth: {jwt: {claims: {user: ''}}}", "auth.jwt.claims.user", "usually sub"},
		"short secret":         {"auth: {jwt: {keys: [{algorithm: HS256, secret: hunter2}]}}", "auth.jwt.keys[0].secret", "has 7 bytes; HS256 needs at least 32"},
		"no algorithm":         {"auth: {jwt: {keys: [{id: a}]}}", "auth.jwt.keys[0].algorithm", "one of HS256, RS256"},
		"no key file":          {"auth: {jwt: {keys: [{algorithm: RS256}]}}", "auth.jwt.keys[0].public_key_file", "is empty"},
		"absent key file":      {"auth: {jwt: {keys: [{algorithm: RS256, public_key_file: /absent.pem}]}}", "auth.jwt.keys[0].public_key_file", "no such file"},
		"secret for RS256":     {"auth: {jwt: {keys: [{algorithm: RS256, secret: x}]}}", "auth.jwt.keys[0].secret", "does not belong"},
		"no service address":   {"audio: {openai: {base_url: api.openai.com}}", "audio.openai.base_url", "not an http or https address"},
		"a key in an address":  {"audio: {openai: {base_url: 'https://u:hunter2@x/v1'}}", "audio.openai.base_url", "without user"},
		"an odd key":           {"audio: {openai: {api_key: 'hunter2 and more'}}", "audio.openai.api_key", "cannot be sent in a header"},
		"no model":             {"audio: {transcriber: openai, openai: {model: ''}}", "audio.openai.model", "such as whisper-1"},
		"no language":          {"audio: {openai: {language: English}}", "audio.openai.language", "en and zh-TW are"},
		"no workers":           {"audio: {transcription: {workers: 0}}", "audio.transcription.workers", "at least 1"},
		"file for HS256":       {"auth: {jwt: {keys: [{algorithm: HS256, public_key_file: x}]}}", "auth.jwt.keys[0].public_key_file", "does not belong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadText(c.text, nil)
			got := lines(t, err)
			seen := map[string]bool{}
			for _, line := range got {
				path, _, _ := strings.Cut(line, ": ")
				if seen[path] {
					t.Errorf("%s is reported twice:\n%s", path, strings.Join(got, "\n"))
				}
				seen[path] = true
			}
			for _, line := range got {
				path, _, _ := strings.Cut(line, ": ")
				if strings.Contains(line, "hunter2") {
					t.Errorf("a secret is shown: %s", line)
				}
				if strings.Contains(line, c.says) && (c.path == "" || path == c.path) {
					return
				}
			}
			t.Errorf("nothing says %q of %q in\n%s", c.says, c.path, strings.Join(got, "\n"))
		})
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"every interface with a token": "auth: {mode: trusted, service_token: 0123456789abcdef}\nserver: {im: {addr: ':8083'}, gateway: {addr: '0.0.0.0:8082'}}",
		"IPv6 loopback":                "server: {im: {addr: '[::1]:0'}, gateway: {addr: '[::1]:0'}}",
		"mapped loopback":              "server: {im: {addr: '[::ffff:127.0.0.1]:1'}}",
		"localhost":                    "server: {im: {addr: 'localhost:1'}}",
		"ops anywhere":                 "server: {ops: {addr: ':8081'}}",
		"a linked store":               "data: {blobs: {store: gcs}}",
		"a linked registry":            "auth: {mode: trusted, service_token: 0123456789abcdef}\nregistry: {type: zookeeper, token: t, group: g}",
		"a linked broker": "auth: {mode: trusted, service_token: 0123456789abcdef}\ncluster: {type: kafka, token: t}\n" +
			"data: {database: {driver: postgres, dsn: 'postgres://db/hermod'}}",
		"a linked transcriber":   "audio: {transcriber: whisper, openai: {model: ''}}",
		"a transcriber nearby":   "audio: {transcriber: openai, openai: {base_url: 'http://127.0.0.1:8000/v1/', language: pt-BR}}",
		"a linked authenticator": "auth: {mode: ldap, service_token: 0123456789abcdef}",
		"an odd path":            "data: {database: {dsn: '/srv/a@b(1)/host=1/x.db'}}",
		"words":                  "audio: {formats: [mp3]}",
		"origins":                "server: {http: {allowed_origins: ['*', 'https://a.example', 'https://*.a.example:8443']}}",
		"public url":             "server: {http: {public_url: 'https://chat.example.com/im/'}}",
		"empty sections":         "server:\n  im:\nauth: {}\n",
		"aliases":                "session: {heartbeat: &h 40s, stall_timeout: *h}",
		"HS256":                  "auth: {mode: jwt, service_token: 0123456789abcdef, jwt: {keys: [{algorithm: HS256, secret: 0123456789abcdef0123456789abcdef}]}}",
		"JWKS":                   "auth: {mode: jwt, service_token: 0123456789abcdef, jwt: {jwks_url: 'https://id.example.com/keys'}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := loadText(text, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOriginNamesTheVariable(t *testing.T) {
	t.Parallel()
	_, err := loadText("", map[string]string{"HERMOD_LOG_LEVEL": "inof"})
	want := `log.level: "inof" is not known, did you mean info?; one of debug, info, warn, error [built-in default, environment HERMOD_LOG_LEVEL]`
	if got := lines(t, err); len(got) != 1 || got[0] != want {
		t.Errorf("got %q", got)
	}
}

func TestOverridesAreScalars(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"server", "auth.jwt.keys", "audio.formats", "server.im.addr.x", "nowhere", ""} {
		if _, err := loadText("", nil, Override{Path: path, Value: "x", From: "flag -x"}); err == nil {
			t.Errorf("override of %q is accepted", path)
		}
	}
}

func TestValidateOfAnEmptyConfiguration(t *testing.T) {
	t.Parallel()
	if got := lines(t, Validate(&Config{})); len(got) < 10 {
		t.Errorf("only these are wrong: %q", got)
	}
	if err := Validate(mustLoad(t, "", nil)); err != nil {
		t.Error(err)
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	wideKey, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	edKey, _, _ := ed25519.GenerateKey(rand.Reader)
	shortKey := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	private, _ := x509.MarshalPKCS8PrivateKey(ecKey)
	file := func(kind string, der []byte) string {
		name := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	public := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return file("PUBLIC KEY", der)
	}
	for name, c := range map[string]struct{ algorithm, file, says string }{
		"RSA":             {RS256, public(&rsaKey.PublicKey), ""},
		"RSA PKCS1":       {RS256, file("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)), ""},
		"EC":              {ES256, public(&ecKey.PublicKey), ""},
		"short RSA":       {RS256, public(shortKey), "has 1024 bits; at least 2048"},
		"Ed25519":         {EdDSA, public(edKey), ""},
		"RSA for ES256":   {ES256, public(&rsaKey.PublicKey), "an RSA key is for RS256, not for ES256"},
		"Ed25519 for RSA": {RS256, public(edKey), "an Ed25519 key is for EdDSA"},
		"EC for EdDSA":    {EdDSA, public(&ecKey.PublicKey), "an EC key is for ES256"},
		"other curve":     {ES256, public(&wideKey.PublicKey), "must be on the curve P-256"},
		"a private key":   {ES256, file("PRIVATE KEY", private), `has a PEM block "PRIVATE KEY"`},
		"a broken key":    {ES256, file("PUBLIC KEY", []byte("x")), "asn1"},
		"not PEM":         {ES256, "doc.go", "is not PEM"},
	} {
		_, err := (&Auth_Key{Algorithm: c.algorithm, PublicKeyFile: c.file}).Verifier()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(defaults().Text, "127.0.0.1:1")
	f.Add([]byte("a: &a [*a]\n<<: *a"), "")
	f.Add([]byte("auth: {jwt: {keys: [{algorithm: HS256}, {}, ~]}}"), "x")
	f.Add([]byte("session: {heartbeat: '${A:${B}}', queue_bytes: -9223372036854775808}"), "[::1]:99999")
	f.Fuzz(func(t *testing.T, text []byte, addr string) {
		if strings.Contains(string(text), "public_key_file") {
			t.Skip("would read files")
		}
		c, err := loadText(string(text), nil, Override{Path: "server.ops.addr", Value: addr, From: "flag -ops"})
		if err != nil {
			lines(t, err)
			return
		}
		if err := Validate(c); err != nil {
			t.Fatalf("loaded, but not valid: %v", err)
		}
	})
}
