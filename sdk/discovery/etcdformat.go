package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// etcdValue is what a key of etcd may hold: a ServiceInfo, or an instance as Kratos writes it, whose
// address is among its endpoints. Names of JSON fields are compared without regard to case.
type etcdValue struct {
	ServiceInfo
	Endpoints []string `json:"endpoints"`
}

// kratosScheme is that of the endpoint of an instance of Kratos at which it speaks gRPC.
const kratosScheme = "grpc"

// fromEtcd reads the instance of a service under a key, whose end is the ID if the value has none.
func fromEtcd(name, key string, value []byte) (*ServiceInfo, error) {
	var v etcdValue
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, err
	}
	s := &v.ServiceInfo
	s.Name = name
	if s.ID == "" {
		s.ID = key[strings.LastIndex(key, "/")+1:]
	}
	if s.Address == "" {
		var err error
		if s.Address, s.Port, err = kratosAddress(v.Endpoints); err != nil {
			return nil, err
		}
	}
	if s.Port < 0 || s.Port > 65535 {
		return nil, fmt.Errorf("port %d", s.Port)
	}
	return s, nil
}

// kratosAddress returns the address of the first endpoint that speaks gRPC.
func kratosAddress(endpoints []string) (host string, port int, err error) {
	for _, e := range endpoints {
		u, err := url.Parse(e)
		if err != nil || u.Scheme != kratosScheme {
			continue
		}
		host, text, err := net.SplitHostPort(u.Host)
		if err != nil {
			return "", 0, fmt.Errorf("endpoint %q: %w", e, err)
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || host == "" {
			return "", 0, fmt.Errorf("endpoint %q has no host or no port", e)
		}
		return host, int(port), nil
	}
	return "", 0, errors.New("neither an address nor an endpoint for gRPC")
}
