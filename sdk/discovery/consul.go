package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	// consulWait is how long Consul lets a query wait for a change.
	consulWait = 55 * time.Second
	// consulAnswer is what the answer may take beyond that; Consul itself adds up to a sixteenth.
	consulAnswer = 15 * time.Second
	// consulPause is the least time between two queries: a service that changes all the time is
	// seen that often.
	consulPause = 50 * time.Millisecond
	// consulLook is how soon an agent that has forgotten its services gets them again.
	consulLook = 5 * time.Second
)

// ConsulDiscovery is a ServiceDiscovery over a Consul agent. What is registered belongs to that
// agent and stays until Deregister or Close, or until Consul's health check has failed for long
// enough; if the agent loses it, it is registered again within 5 s. Instances that pass their checks
// are healthy, those with a warning are unknown and may be chosen, others are unhealthy.
//
// It owns a goroutine for each service that is watched, and one while something is registered.
type ConsulDiscovery struct {
	client    *api.Client
	transport *http.Transport
	opts      *options
	feeds     *feeds
	roll      *roll
}

// NewConsulDiscovery returns a discovery over the agent at an address, such as localhost:8500 or
// https://consul:8501. It does not connect yet. Options: WithTLS, WithTLSFiles, WithToken,
// WithNamespace, WithDatacenter, WithHealthCheck, WithLogger.
func NewConsulDiscovery(address string, opts ...Option) (*ConsulDiscovery, error) {
	o, err := choose("Consul", opts, "WithTLS", "WithToken", "WithNamespace", "WithDatacenter", "WithHealthCheck")
	if err != nil {
		return nil, err
	}
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	if address == "" {
		return nil, errors.New("discovery: no address of a Consul agent")
	}
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	client, err := api.NewClient(&api.Config{
		Address: address, Scheme: scheme, Token: o.token, Namespace: o.namespace,
		HttpClient: &http.Client{Transport: transport},
	})
	if err != nil {
		return nil, fmt.Errorf("discovery: consul: %w", err)
	}
	d := &ConsulDiscovery{client: client, transport: transport, opts: o}
	d.feeds = newFeeds(d.follow)
	d.roll = newRoll(consulLook, o.log, d.tend, d.remove)
	return d, nil
}

// Register makes the instance known to the agent. It is unhealthy until the first check, unless its
// Health says that it is healthy.
func (d *ConsulDiscovery) Register(ctx context.Context, service *ServiceInfo) error {
	if err := service.Validate(); err != nil {
		return err
	}
	if err := d.feeds.ready(ctx); err != nil {
		return err
	}
	return d.roll.register(ctx, service, func(s, _ *ServiceInfo) error { return d.put(ctx, s) })
}

// Deregister makes the instance unknown, whoever registered it with this agent.
func (d *ConsulDiscovery) Deregister(ctx context.Context, serviceID string) error {
	if err := d.feeds.ready(ctx); err != nil {
		return err
	}
	return d.roll.deregister(ctx, serviceID)
}

// Discover returns the instances that Consul has now.
func (d *ConsulDiscovery) Discover(ctx context.Context, serviceName string) ([]*ServiceInfo, error) {
	if err := d.feeds.ready(ctx); err != nil {
		return nil, err
	}
	services, _, err := d.query(ctx, serviceName, 0)
	return services, err
}

// Watch sends the instances now and whenever they change.
func (d *ConsulDiscovery) Watch(ctx context.Context, serviceName string) (<-chan []*ServiceInfo, error) {
	return d.feeds.watch(ctx, serviceName)
}

// Close ends all watches and deregisters what was registered here, for which it takes up to 3 s; an
// error says what could not be.
func (d *ConsulDiscovery) Close() error {
	if !d.feeds.close() {
		return nil
	}
	err := d.roll.close()
	d.transport.CloseIdleConnections()
	return err
}

func (d *ConsulDiscovery) put(ctx context.Context, s *ServiceInfo) error {
	err := d.client.Agent().ServiceRegisterOpts(&api.AgentServiceRegistration{
		ID: s.ID, Name: s.Name, Address: s.Address, Port: s.Port, Tags: s.Tags, Meta: s.Metadata, Check: d.check(s),
	}, api.ServiceRegisterOpts{}.WithContext(ctx))
	if err != nil {
		return consulError(ctx, "register "+s.ID, err)
	}
	return nil
}

// check returns how Consul is to check an instance, nil if it is not.
func (d *ConsulDiscovery) check(s *ServiceInfo) *api.AgentServiceCheck {
	c := d.opts.check
	if c.Interval < 0 {
		return nil
	}
	check := &api.AgentServiceCheck{
		GRPC:                           s.Target(),
		GRPCUseTLS:                     c.TLS,
		Interval:                       cmp.Or(c.Interval, defaultCheckInterval).String(),
		Timeout:                        cmp.Or(c.Timeout, defaultCheckTimeout).String(),
		DeregisterCriticalServiceAfter: cmp.Or(c.DeregisterAfter, defaultDeregisterAfter).String(),
	}
	if s.Health == HealthHealthy {
		check.Status = api.HealthPassing
	}
	return check
}

func (d *ConsulDiscovery) remove(ctx context.Context, s *ServiceInfo) error {
	err := d.client.Agent().ServiceDeregisterOpts(s.ID, new(api.QueryOptions).WithContext(ctx))
	if err == nil || consulUnknown(err) {
		return nil
	}
	return consulError(ctx, "deregister "+s.ID, err)
}

// tend registers what the agent does not have.
func (d *ConsulDiscovery) tend(ctx context.Context, services []*ServiceInfo) error {
	for _, s := range services {
		_, _, err := d.client.Agent().Service(s.ID, new(api.QueryOptions).WithContext(ctx))
		if err != nil && consulUnknown(err) {
			err = d.put(ctx, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func consulUnknown(err error) bool {
	refused, ok := errors.AsType[api.StatusError](err)
	return ok && refused.Code == http.StatusNotFound
}

func consulError(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return fmt.Errorf("discovery: consul: %s: %w", what, err)
}

// follow asks again and again for what has changed since the last answer.
func (d *ConsulDiscovery) follow(ctx context.Context, name string, publish func([]*ServiceInfo)) {
	var index uint64
	var retry patience
	for ctx.Err() == nil {
		services, next, err := d.query(ctx, name, index)
		if err != nil {
			if ctx.Err() == nil && retry.next == 0 {
				d.opts.log.Warn("discovery: a service cannot be watched just now", "service", name, "error", err)
			}
			index = 0
			retry.wait(ctx)
			continue
		}
		retry.reset()
		publish(services)
		if index = next; index == 0 || !sleep(ctx, consulPause) {
			retry.wait(ctx) // a server that has no index would answer at once for ever
		}
	}
}

// query returns the instances when they are no longer those of index, and what is then the index. It
// is 0 when the next query must not wait: indexes go backwards when a server has lost its data.
func (d *ConsulDiscovery) query(ctx context.Context, name string, index uint64) ([]*ServiceInfo, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, consulWait+consulAnswer)
	defer cancel()
	entries, meta, err := d.client.Health().Service(name, "", false, (&api.QueryOptions{
		Datacenter: d.opts.datacenter, WaitIndex: index, WaitTime: consulWait, RequireConsistent: false,
	}).WithContext(ctx))
	if err != nil {
		return nil, 0, consulError(ctx, "look for "+name, err)
	}
	var services []*ServiceInfo
	for _, e := range entries {
		services = append(services, fromConsul(e))
	}
	if meta.LastIndex < index {
		return services, 0, nil
	}
	return services, meta.LastIndex, nil
}

func fromConsul(e *api.ServiceEntry) *ServiceInfo {
	s := &ServiceInfo{
		ID: e.Service.ID, Name: e.Service.Service, Address: e.Service.Address, Port: e.Service.Port,
		Tags: e.Service.Tags, Metadata: e.Service.Meta,
	}
	if s.Address == "" { // it is where its node is
		s.Address = e.Node.Address
	}
	switch e.Checks.AggregatedStatus() {
	case api.HealthPassing:
		s.Health = HealthHealthy
	case api.HealthWarning:
		s.Health = HealthUnknown
	default:
		s.Health = HealthUnhealthy
	}
	if _, has := s.Metadata[MetadataWeight]; !has && e.Service.Weights.Passing > 1 {
		if s.Metadata == nil {
			s.Metadata = make(map[string]string)
		}
		s.Metadata[MetadataWeight] = strconv.Itoa(e.Service.Weights.Passing)
	}
	return s
}
