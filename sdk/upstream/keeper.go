package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// lastRest is how long to wait after a failure at most. One that is over because the connection is there
// again is noticed at once.
const lastRest = 15 * time.Second

// keeper keeps a service known to one gateway.
type keeper struct {
	r       *Registrar
	gateway string
	conn    *grpc.ClientConn

	told string // what OnChange was told last

	listed     bool // with the registrar's lock, as what follows
	registered bool
}

// run registers, and again, until the registrar stops or the gateway is gone for good.
func (k *keeper) run(ctx context.Context) {
	defer func() { _ = k.conn.Close() }() // nothing is pending
	for limit := firstBackoff; ; {
		lease, err := k.register(ctx)
		gone := err != nil && k.r.left(k)
		k.tell(err, gone)
		if gone {
			return
		}
		wait := rand.N(limit) + 1
		if limit = min(2*limit, lastRest); err == nil {
			limit = firstBackoff
			wait = lease/3 - rand.N(lease/30) // not all services at once
		}
		if !k.rest(wait, err == nil) {
			k.deregister(ctx)
			return
		}
	}
}

// register makes one call, which Stop lets end by itself: one that is given up may still arrive, behind
// the one that takes it back.
func (k *keeper) register(ctx context.Context) (lease time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	what := &k.r.what
	var resp *gatewayv1.UpstreamRegisterResponse
	err = k.call(ctx, func(ctx context.Context, g gatewayv1.GatewayServiceClient) error {
		resp, err = g.RegisterUpstream(ctx, &gatewayv1.UpstreamRegisterRequest{
			Address: what.Address, ZoneId: what.Zone, ServiceName: what.Name,
			LeaseSeconds: int32(what.Lease / time.Second), Current: true,
		})
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case !resp.GetSuccess():
		return 0, &refused{resp.GetErrorCode(), resp.GetMessage()}
	case resp.GetLeaseSeconds() > 0:
		return time.Duration(resp.GetLeaseSeconds()) * time.Second, nil
	}
	return what.Lease, nil
}

// deregister takes the registration back, also one that may have arrived although its call failed.
func (k *keeper) deregister(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	err := k.call(ctx, func(ctx context.Context, g gatewayv1.GatewayServiceClient) error {
		_, err := g.DeregisterUpstream(ctx, &gatewayv1.UpstreamDeregisterRequest{Address: k.r.what.Address, ServiceName: k.r.what.Name})
		return err
	})
	k.r.mu.Lock()
	believes := err != nil && k.registered
	k.registered = false
	k.r.mu.Unlock()
	if believes {
		k.r.what.Log.Warn("a gateway was not told that the service stops", "gateway", k.gateway, "address", k.r.what.Address, "error", err)
	}
}

func (k *keeper) call(ctx context.Context, call func(context.Context, gatewayv1.GatewayServiceClient) error) error {
	ctx, err := k.r.cfg.authorize(ctx)
	if err != nil {
		return err
	}
	return call(ctx, gatewayv1.NewGatewayServiceClient(k.conn))
}

// rest waits until it is time for the next call: after d, or as soon as the connection tells that
// the gateway was restarted or is back. It is false when the registrar stops.
func (k *keeper) rest(d time.Duration, registered bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		k.watch(ctx, registered)
	}()
	defer func() { <-woken }()
	defer cancel()
	select {
	case <-woken:
	case <-k.r.stopping:
		return false
	}
	// A gateway that takes calls and then ends the connection must not be called without a pause.
	select {
	case <-time.After(rand.N(firstBackoff)):
		return true
	case <-k.r.stopping:
		return false
	}
}

// watch returns when ctx ends, or the connection is lost or there again.
func (k *keeper) watch(ctx context.Context, registered bool) {
	for {
		state := k.conn.GetState()
		if registered && state != connectivity.Ready {
			return
		}
		if !k.conn.WaitForStateChange(ctx, state) {
			return
		}
		if !registered && k.conn.GetState() == connectivity.Ready {
			return
		}
	}
}

// refused is a gateway's no.
type refused struct{ code, message string }

func (e *refused) Error() string {
	return fmt.Sprintf("the registration was refused: %s (code: %s)", e.message, e.code)
}

// tell notes what came of a call and, if that is news, tells of it.
func (k *keeper) tell(err error, gone bool) {
	k.r.mu.Lock()
	k.registered = err == nil
	k.r.mu.Unlock()
	news := kind(err)
	if news == k.told {
		return
	}
	k.told = news
	k.r.telling.Lock()
	defer k.r.telling.Unlock()
	log := k.r.what.Log.With("gateway", k.gateway, "address", k.r.what.Address)
	switch {
	case gone:
		log.Info("the gateway is gone")
	case err != nil:
		log.Warn("not registered, trying again", "error", err)
	default:
		log.Info("registered")
	}
	if k.r.what.OnChange != nil {
		k.r.what.OnChange(k.gateway, err)
	}
}

// kind tells outcomes of a call apart as far as people want to hear of them.
func kind(err error) string {
	if no, ok := errors.AsType[*refused](err); ok {
		return no.code
	}
	switch code := status.Code(err); code {
	case codes.OK:
		return "registered"
	case codes.DeadlineExceeded, codes.Canceled:
		return codes.Unavailable.String() // for one outage may show as all of them
	default:
		return code.String()
	}
}
