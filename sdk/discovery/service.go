package discovery

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
)

// What ServiceInfo.Health may say. Empty means HealthUnknown.
const (
	HealthHealthy   = "healthy"
	HealthUnhealthy = "unhealthy"
	HealthUnknown   = "unknown"
)

var errNilInstance = errors.New("discovery: the service instance is nil")

// ServiceInfo is one instance of a service.
type ServiceInfo struct {
	ID       string
	Name     string
	Address  string // host name or IP
	Port     int    // 0: Address is a complete target already
	Tags     []string
	Metadata map[string]string // MetadataWeight is the key that balancers read
	Health   string            // HealthHealthy, HealthUnhealthy or HealthUnknown
}

// Target returns where to dial the instance: Address and Port joined, or Address alone when Port
// is 0.
func (s *ServiceInfo) Target() string {
	if s.Port == 0 {
		return s.Address
	}
	return net.JoinHostPort(s.Address, strconv.Itoa(s.Port))
}

// Key returns what tells the instance apart from others: its ID, or its target when it has none,
// as in lists written by hand.
func (s *ServiceInfo) Key() string {
	if s.ID != "" {
		return s.ID
	}
	return s.Target()
}

// Clone returns a copy that shares nothing with s.
func (s *ServiceInfo) Clone() *ServiceInfo {
	c := *s
	c.Tags = slices.Clone(s.Tags)
	c.Metadata = maps.Clone(s.Metadata)
	return &c
}

// Validate says what is wrong with an instance that is to be registered: it needs a Name and an
// Address, a Port up to 65535, one of the three values of Health or none, and a weight that
// balancers take (see Weight).
func (s *ServiceInfo) Validate() error {
	switch {
	case s == nil:
		return errNilInstance
	case s.Name == "":
		return fmt.Errorf("discovery: instance %s has no Name", s.Key())
	case s.Address == "":
		return fmt.Errorf("discovery: instance %s of %s has no Address", s.ID, s.Name)
	case s.Port < 0 || s.Port > 65535:
		return fmt.Errorf("discovery: port %d of instance %s: allowed are 0 (none) to 65535", s.Port, s.Key())
	}
	switch s.Health {
	case "", HealthHealthy, HealthUnhealthy, HealthUnknown:
	default:
		return fmt.Errorf("discovery: health %q of instance %s: allowed are %s, %s and %s",
			s.Health, s.Key(), HealthHealthy, HealthUnhealthy, HealthUnknown)
	}
	_, err := s.Weight()
	return err
}

// An identity is Key as something that can be compared without putting a string together.
type identity struct {
	id      string
	address string
	port    int
}

func (s *ServiceInfo) identity() identity {
	if s.ID != "" {
		return identity{id: s.ID}
	}
	return identity{address: s.Address, port: s.Port}
}

func usable(s *ServiceInfo) bool { return s != nil && s.Health != HealthUnhealthy }
