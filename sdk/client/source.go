package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// An endpoint is where one connection goes.
type endpoint struct {
	stub    imv1.IMServiceClient
	rooms   imv1.RoomServiceClient // nil: the connection is lent, and came without
	service *discovery.ServiceInfo
	name    string            // its target, for errors and logs
	options []grpc.CallOption // for the stream
	// release gives the endpoint back; failure is what was wrong with it, or nil.
	release func(failure error)
}

// source yields an endpoint for every attempt to connect. It is called by one goroutine at a
// time, for it is the connection's owner that asks.
type source interface {
	endpoint(ctx context.Context) (*endpoint, error)
}

// maxReceiveBytes leaves room for an envelope of many large messages.
const maxReceiveBytes = 32 << 20

// dialer is the source of clients that own their connections: it finds the instances, chooses
// one and dials it.
type dialer struct {
	name      string
	discovery discovery.ServiceDiscovery // may be nil
	balancer  discovery.LoadBalancer
	options   []grpc.DialOption

	mu       sync.Mutex
	follower *follower                // nil: changes are not followed now
	services []*discovery.ServiceInfo // as set, or as last discovered
	failed   string                   // the target that failed last
}

func newDialer(cfg *Config) *dialer {
	creds := insecure.NewCredentials()
	if cfg.TLS != nil {
		creds = credentials.NewTLS(cfg.TLS)
	}
	balancer := cfg.LoadBalancer
	if balancer == nil {
		balancer = discovery.NewRoundRobinBalancer()
	}
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceiveBytes)),
	}, cfg.DialOptions...)
	return &dialer{
		name:      cfg.ServiceName,
		discovery: cfg.Discovery,
		balancer:  balancer,
		options:   options,
		services:  slices.Clone(cfg.Services),
	}
}

func (d *dialer) setServices(services []*discovery.ServiceInfo) {
	d.mu.Lock()
	d.services = slices.Clone(services)
	d.mu.Unlock()
	d.balancer.Update(services)
}

func (d *dialer) endpoint(ctx context.Context) (*endpoint, error) {
	services, err := d.candidates(ctx)
	if err != nil {
		return nil, err
	}
	service, err := d.choose(services)
	if err != nil {
		return nil, err
	}
	name := service.Target()
	conn, err := grpc.NewClient(name, d.options...)
	if err != nil {
		return nil, fmt.Errorf("client: dial %s: %w", name, err)
	}
	return &endpoint{
		stub:    imv1.NewIMServiceClient(conn),
		rooms:   imv1.NewRoomServiceClient(conn),
		service: service,
		name:    name,
		release: func(failure error) {
			d.remember(service, failure)
			_ = conn.Close() // closing twice is its only error
		},
	}, nil
}

// candidates returns the instances to choose from: as the discovery has told of them, or as it says
// when it is asked. When it cannot be asked, or knows of none, as a registry that has lost
// everything, those it named last are better than none.
func (d *dialer) candidates(ctx context.Context) ([]*discovery.ServiceInfo, error) {
	if d.discovery == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.services, nil
	}
	found, err := d.discover(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if (err != nil || len(found) == 0) && len(d.services) > 0 {
		return d.services, nil
	}
	if err != nil {
		return nil, fmt.Errorf("client: discover %s: %w", d.name, err)
	}
	d.services = found
	d.balancer.Update(found)
	return found, nil
}

func (d *dialer) discover(ctx context.Context) ([]*discovery.ServiceInfo, error) {
	if list, known := d.following().services(); known {
		return list, nil
	}
	return d.discovery.Discover(ctx, d.name)
}

func (d *dialer) following() *follower {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.follower
}

// follow begins to have the client told of changes, unless it does not want to be.
func (c *Client) follow() {
	d, ok := c.source.(*dialer)
	if !ok || d.discovery == nil || c.cfg.MoveWithin < 0 {
		return
	}
	f := follow(c, followed{d.discovery, d.name})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.follower = f
}

func (c *Client) unfollow() {
	d, ok := c.source.(*dialer)
	if !ok {
		return
	}
	d.mu.Lock()
	f := d.follower
	d.follower = nil
	d.mu.Unlock()
	if f != nil {
		f.leave(c)
	}
}

// misplaced tells whether who is connected to an instance should go to another one: because it is
// gone or unhealthy and there is another, or because the balancer chooses another.
func (d *dialer) misplaced(current *discovery.ServiceInfo) bool {
	list, known := d.following().services()
	if !known {
		return false
	}
	here, elsewhere := false, false
	for _, s := range list {
		if !s.Usable() {
			continue
		}
		if s.Key() == current.Key() && s.Target() == current.Target() {
			here = true
		} else if s.Target() != current.Target() {
			elsewhere = true
		}
	}
	sticky, ok := d.balancer.(discovery.StickyBalancer)
	if !here || !ok {
		return !here && elsewhere
	}
	chosen, err := sticky.Select(list)
	return err == nil && chosen.Key() != current.Key()
}

// choose asks the balancer, and asks again as long as it names the instance that just failed
// and there are others: a balancer of the program's own may not be a FailureReporter.
func (d *dialer) choose(services []*discovery.ServiceInfo) (*discovery.ServiceInfo, error) {
	d.mu.Lock()
	failed := d.failed
	d.mu.Unlock()
	var service *discovery.ServiceInfo
	for range max(1, len(services)) {
		var err error
		if service, err = d.balancer.Select(services); err != nil {
			return nil, explain(err)
		}
		if service == nil {
			return nil, explain(discovery.ErrNoService)
		}
		if service.Target() != failed {
			break
		}
	}
	return service, nil
}

func (d *dialer) remember(service *discovery.ServiceInfo, failure error) {
	if reporter, ok := d.balancer.(discovery.FailureReporter); ok && failure != nil {
		reporter.Failed(service)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if failure != nil {
		d.failed = service.Target()
	} else if d.failed == service.Target() {
		d.failed = ""
	}
}

func explain(err error) error {
	if errors.Is(err, discovery.ErrNoService) {
		return fmt.Errorf("client: nowhere to connect to, set Config.Services or Config.Discovery: %w", err)
	}
	return err
}
