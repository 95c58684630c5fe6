package upstream

import (
	"context"
	"errors"
	"slices"
)

// Gateways says where the gateways are: a channel that sends their addresses, all of them again whenever
// they change, until ctx ends.
type Gateways func(ctx context.Context) (<-chan []string, error)

// At is gateways whose addresses are known: host:port or another gRPC target, one for each node.
func At(addrs ...string) Gateways {
	return func(context.Context) (<-chan []string, error) {
		if len(addrs) == 0 || slices.Contains(addrs, "") {
			return nil, errors.New("an address is missing; host:port is required for each")
		}
		found := make(chan []string, 1)
		found <- addrs
		return found, nil
	}
}

// Found is the gateways that a registry knows by a name. watch is the method of a
// discovery.ServiceDiscovery:
//
//	upstream.Found(nodes.Watch, "gateway-service")
func Found[S interface{ Target() string }](watch func(context.Context, string) (<-chan []S, error), name string) Gateways {
	return func(ctx context.Context) (<-chan []string, error) {
		lists, err := watch(ctx, name)
		if err != nil {
			return nil, err
		}
		found := make(chan []string)
		go func() {
			defer close(found)
			for list := range lists { // which ends when ctx does
				select {
				case found <- targets(list):
				case <-ctx.Done():
				}
			}
		}()
		return found, nil
	}
}

func targets[S interface{ Target() string }](list []S) []string {
	addrs := make([]string, len(list))
	for i, s := range list {
		addrs[i] = s.Target()
	}
	return addrs
}
