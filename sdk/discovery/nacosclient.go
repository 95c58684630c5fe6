package discovery

import (
	"context"
	"errors"
	"fmt"

	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

// A nacosClient is one connection and what is registered over it. Whoever has the turn owns it.
type nacosClient struct {
	naming  naming_client.INamingClient
	service map[string]*ServiceInfo // by name
}

// holder returns the client over which an instance is registered, and the instance; nil if it is not.
func (d *NacosDiscovery) holder(id string) (*nacosClient, *ServiceInfo) {
	for _, c := range d.clients {
		for _, s := range c.service {
			if s.ID == id {
				return c, s
			}
		}
	}
	return nil, nil
}

// place returns the client over which to register an instance, and what is registered there in its
// place.
func (d *NacosDiscovery) place(s *ServiceInfo) (*nacosClient, *ServiceInfo, error) {
	if c, before := d.holder(s.ID); c != nil && (before.Name == s.Name || c.service[s.Name] == nil) {
		return c, before, nil
	} else if c != nil {
		if err := c.remove(d.group, before); err != nil {
			return nil, nil, err
		}
	}
	for _, c := range d.clients {
		if c.service[s.Name] == nil {
			return c, nil, nil
		}
	}
	c, err := d.connect()
	return c, nil, err
}

func (c *nacosClient) put(ctx context.Context, group string, s *ServiceInfo) error {
	weight, err := s.Weight()
	if err != nil {
		return err
	}
	host, port, err := s.hostPort()
	if err != nil {
		return err
	}
	var ok bool
	var retry patience
	for range nacosAttempts { // servers refuse, without a word, what meets another change of the service
		ok, err = c.naming.RegisterInstance(vo.RegisterInstanceParam{
			Ip: host, Port: port, ServiceName: s.Name, GroupName: group, ClusterName: nacosCluster,
			Weight: weight, Enable: true, Healthy: true, Ephemeral: true, Metadata: toNacosMetadata(s),
		})
		if err == nil && ok {
			return nil
		}
		if err != nil || !retry.wait(ctx) {
			break
		}
	}
	_ = c.remove(group, s) // or the SDK would register it later after all
	delete(c.service, s.Name)
	return nacosError("register "+s.ID, ok, err)
}

// remove deregisters an instance. If that fails the SDK does not register it again either, but the
// server may still have it: it can be removed once more.
func (c *nacosClient) remove(group string, s *ServiceInfo) error {
	host, port, err := s.hostPort()
	if err != nil {
		return err
	}
	ok, err := c.naming.DeregisterInstance(vo.DeregisterInstanceParam{
		Ip: host, Port: port, ServiceName: s.Name, GroupName: group, Cluster: nacosCluster, Ephemeral: true,
	})
	if err == nil && ok {
		delete(c.service, s.Name)
	}
	return nacosError("deregister "+s.ID, ok, err)
}

func nacosError(what string, ok bool, err error) error {
	if err == nil && ok {
		return nil
	}
	if err == nil {
		err = errors.New("the server refused it")
	}
	return fmt.Errorf("discovery: nacos: %s: %w", what, err)
}
