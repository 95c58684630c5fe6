package centre

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The variables that credentials are read from when the address has none.
const (
	EnvUsername = "HERMOD_CONF_USERNAME"
	EnvPassword = "HERMOD_CONF_PASSWORD"
	EnvToken    = "HERMOD_CONF_TOKEN"
)

// kind is one product.
type kind struct {
	port  string   // the usual one
	query []string // what may follow the question mark
	open  func(address, Options) Source
}

var kinds = map[string]kind{
	"etcd":   {"2379", []string{"username", "password", "tls", "ca", "cert", "key"}, newEtcd},
	"consul": {"8500", []string{"token", "datacenter", "tls", "ca", "cert", "key"}, newConsul},
	"nacos":  {"8848", []string{"group", "namespace", "username", "password", "tls", "ca", "cert", "key"}, newNacos},
}

// address is where a document is, and how to get there.
type address struct {
	kind               string
	hosts              []string // host:port
	key                string   // without a slash in front
	username, password string
	token              string
	tls                tlsFiles
	query              url.Values
}

// folder tells whether the key stands for every document below it.
func (a address) folder() bool { return strings.HasSuffix(a.key, "/") }

// String leaves out everything that may be secret.
func (a address) String() string {
	s := a.kind + "://" + strings.Join(a.hosts, ",") + "/" + a.key
	shown := url.Values{}
	for _, name := range []string{"namespace", "group", "datacenter"} {
		if v := a.query.Get(name); v != "" {
			shown.Set(name, v)
		}
	}
	if len(shown) > 0 {
		s += "?" + shown.Encode()
	}
	return s
}

// parse reads kind://[user:password@]host[:port][,host[:port]]…/key[?name=value&…]. The hosts are
// taken apart here: net/url knows of one.
func parse(text string, env func(string) string) (address, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	k, ok := kinds[scheme]
	if !ok {
		return address{}, fmt.Errorf("%q is no config centre; etcd, consul and nacos are", scheme)
	}
	hosts, path, _ := strings.Cut(rest, "/")
	credentials := ""
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		credentials, hosts = hosts[:i+1], hosts[i+1:]
	}
	u, err := url.Parse(scheme + "://" + credentials + "host/" + path)
	if err != nil {
		return address{}, fmt.Errorf("is not an address: write %s://host:port/key?name=value, with %%XX for odd characters", scheme)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, fmt.Errorf("what follows the ? is not name=value&name=value, with %%XX for odd characters")
	}
	a := address{kind: scheme, key: strings.TrimPrefix(u.Path, "/"), query: query, username: u.User.Username()}
	a.password, _ = u.User.Password()
	if err := a.complete(k, hosts, env); err != nil {
		return address{}, err
	}
	return a, nil
}

func (a *address) complete(k kind, hosts string, env func(string) string) error {
	if a.key == "" {
		return fmt.Errorf("names no key: write %s://host:port/key", a.kind)
	}
	for name := range a.query {
		if !slices.Contains(k.query, name) {
			return fmt.Errorf("%q is not known after the ?; %s are", name, strings.Join(k.query, ", "))
		}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		full, err := withPort(host, k.port)
		if err != nil {
			return err
		}
		a.hosts = append(a.hosts, full)
	}
	a.username = cmp.Or(a.username, a.query.Get("username"), env(EnvUsername))
	a.password = cmp.Or(a.password, a.query.Get("password"), env(EnvPassword))
	a.token = cmp.Or(a.query.Get("token"), env(EnvToken))
	var err error
	a.tls, err = readTLS(a.query)
	return err
}

func withPort(host, usual string) (string, error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), usual
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || name == "" {
		return "", fmt.Errorf("%q is not a host; write host or host:port, and an IPv6 address in brackets", host)
	}
	return net.JoinHostPort(name, port), nil
}
