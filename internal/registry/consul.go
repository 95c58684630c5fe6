package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	kconsul "github.com/go-kratos/kratos/contrib/registry/consul/v2"
	kregistry "github.com/go-kratos/kratos/v2/registry"
	"github.com/hashicorp/consul/api"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// reapAfter is how long Consul lists, as failing, what does not answer: its own minimum. Consumers
// take what passes, and see a node that died no longer than the ttl.
const reapAfter = time.Minute

// consul registers with a Consul agent, in the form that Kratos' contrib registry reads. Nodes vouch
// for themselves within the ttl: an agent often cannot connect to what runs in a container.
type consul struct {
	transport *http.Transport
	client    *api.Client
	ttl       time.Duration
}

func newConsul(c *conf.Registry) (*consul, error) {
	t, err := conf.TLSConfig("registry.tls", c.GetTls())
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if t != nil {
		scheme = "https"
	}
	transport := &http.Transport{TLSClientConfig: t, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	client, err := api.NewClient(&api.Config{
		Address: c.Addresses()[0], Scheme: scheme, Token: c.GetToken(), Namespace: c.GetNamespace(),
		HttpClient: &http.Client{Transport: transport},
	})
	if err != nil {
		return nil, fmt.Errorf("consul: %w", err)
	}
	return &consul{transport: transport, client: client, ttl: c.GetTtl().AsDuration()}, nil
}

func checkID(i Instance) string { return "service:" + i.ID() }

// Register implements Registrar.
func (c *consul) Register(ctx context.Context, i Instance) error {
	err := c.client.Agent().ServiceRegisterOpts(&api.AgentServiceRegistration{
		ID: i.ID(), Name: i.Name(), Address: i.Host, Port: i.Port,
		Tags: []string{"version=" + i.Version}, Meta: i.AllMetadata(),
		TaggedAddresses: map[string]api.ServiceAddress{i.Scheme(): {Address: i.Scheme() + "://" + i.Addr(), Port: i.Port}},
		Weights:         &api.AgentWeights{Passing: i.Weight, Warning: 1},
		Check: &api.AgentServiceCheck{
			CheckID: checkID(i), TTL: c.ttl.String(), DeregisterCriticalServiceAfter: reapAfter.String(),
			// Nothing is registered before it serves; without this it would be failing for a moment.
			Status: api.HealthPassing,
		},
	}, api.ServiceRegisterOpts{}.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("consul: %w", err)
	}
	return nil
}

// Renew implements Registrar.
func (c *consul) Renew(ctx context.Context, i Instance) error {
	err := c.client.Agent().UpdateTTLOpts(checkID(i), "", api.HealthPassing, new(api.QueryOptions).WithContext(ctx))
	var refused api.StatusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && (refused.Code == http.StatusNotFound || strings.Contains(refused.Body, "TTL")):
		return ErrMissing // the check is not there, which some versions call a fault of their own
	}
	return fmt.Errorf("consul: %w", err)
}

// Listed implements Registrar. Of a service that it does not have an agent says so to whoever asks without
// a token, also where such a one may not register.
func (c *consul) Listed(ctx context.Context, i Instance) (bool, error) {
	_, _, err := c.client.Agent().Service(i.ID(), new(api.QueryOptions).WithContext(ctx))
	var refused api.StatusError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &refused) && refused.Code == http.StatusNotFound:
		return false, nil
	}
	return false, fmt.Errorf("consul: %w", err)
}

// Deregister implements Registrar.
func (c *consul) Deregister(ctx context.Context, i Instance) error {
	err := c.client.Agent().ServiceDeregisterOpts(i.ID(), new(api.QueryOptions).WithContext(ctx))
	var refused api.StatusError
	if err == nil || errors.As(err, &refused) && refused.Code == http.StatusNotFound {
		return nil
	}
	return fmt.Errorf("consul: %w", err)
}

// Watch implements plugin.RegistryWatcher.
func (c *consul) Watch(ctx context.Context, service string, found func([]plugin.Endpoint)) error {
	return watch(ctx, service, c.discovery, found)
}

func (c *consul) discovery(context.Context) (kregistry.Discovery, error) {
	return kconsul.New(c.client), nil
}

// Close implements Registrar.
func (c *consul) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
