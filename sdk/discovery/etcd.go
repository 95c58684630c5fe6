package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	defaultPrefix = "/services"
	// kratosPrefix is where Kratos' registry for etcd keeps its services.
	kratosPrefix = "/microservices"

	// etcdAgain is how often everything is read anew. An etcd that lost its data counts its
	// revisions from 1 again, and a watch goes on waiting for one that is far away.
	etcdAgain = 10 * time.Second

	etcdDialTimeout  = 5 * time.Second
	etcdKeepAlive    = 10 * time.Second
	etcdKeepAliveMax = 5 * time.Second
)

// EtcdDiscovery is a ServiceDiscovery in etcd. An instance is the key prefix/name/id, whose value is
// a ServiceInfo in JSON or what Kratos' registry writes for one. What is registered here has a lease
// (see WithLease) and so disappears with its program; if etcd loses it, it is registered again within
// a sixth of the lease, 5 s by default.
//
// It owns a goroutine for each service that is watched, and one while something is registered.
type EtcdDiscovery struct {
	client   *clientv3.Client
	prefix   string   // where instances are registered
	prefixes []string // where they are looked for
	ttl      time.Duration
	opts     *options
	feeds    *feeds
	roll     *roll
	// Whoever has the roll's turn owns these.
	lease clientv3.LeaseID            // for all that is registered
	under map[string]clientv3.LeaseID // by ID: the lease under which it was written last
}

// NewEtcdDiscovery returns a discovery over the etcd at these endpoints, below a prefix. With an
// empty prefix instances are registered below /services and looked for there and below
// /microservices, where nodes and Kratos programs register unless they are told otherwise.
// It does not wait for etcd unless WithCredentials has it log in: then it fails if it cannot
// within 5 s. Options: WithTLS, WithTLSFiles, WithCredentials, WithLease, WithLogger.
func NewEtcdDiscovery(endpoints []string, prefix string, opts ...Option) (*EtcdDiscovery, error) {
	o, err := choose("etcd", opts, "WithTLS", "WithCredentials", "WithLease")
	if err != nil {
		return nil, err
	}
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	if len(endpoints) == 0 {
		return nil, errors.New("discovery: no endpoints of etcd")
	}
	d := &EtcdDiscovery{prefix: strings.TrimSuffix(prefix, "/"), opts: o, ttl: o.lease, under: make(map[string]clientv3.LeaseID)}
	d.prefixes = []string{d.prefix}
	if prefix == "" {
		d.prefix, d.prefixes = defaultPrefix, []string{defaultPrefix, kratosPrefix}
	}
	d.client, err = clientv3.New(clientv3.Config{
		Endpoints: endpoints, TLS: config, Username: o.username, Password: o.password,
		DialTimeout: etcdDialTimeout, DialKeepAliveTime: etcdKeepAlive, DialKeepAliveTimeout: etcdKeepAliveMax,
		Logger: zap.NewNop(), // it would write every attempt to connect to standard error
	})
	if err != nil {
		return nil, fmt.Errorf("discovery: etcd: %w", err)
	}
	d.feeds = newFeeds(d.follow)
	d.roll = newRoll(d.ttl/6, o.log, d.tend, d.remove)
	return d, nil
}

// Register makes the instance known for as long as this program lives.
func (d *EtcdDiscovery) Register(ctx context.Context, service *ServiceInfo) error {
	if err := service.Validate(); err != nil {
		return err
	}
	if err := d.feeds.ready(ctx); err != nil {
		return err
	}
	return d.roll.register(ctx, service, func(s, before *ServiceInfo) error {
		if err := d.put(ctx, s); err != nil {
			return err
		}
		if before != nil && before.Name != s.Name {
			return d.remove(ctx, before)
		}
		return nil
	})
}

// Deregister makes an instance unknown that was registered here; others are left alone.
func (d *EtcdDiscovery) Deregister(ctx context.Context, serviceID string) error {
	if err := d.feeds.ready(ctx); err != nil {
		return err
	}
	return d.roll.deregister(ctx, serviceID)
}

// Discover returns the instances that etcd has now.
func (d *EtcdDiscovery) Discover(ctx context.Context, serviceName string) ([]*ServiceInfo, error) {
	if err := d.feeds.ready(ctx); err != nil {
		return nil, err
	}
	found, _, err := d.list(ctx, serviceName)
	return found.services(), err
}

// Watch sends the instances now and whenever they change.
func (d *EtcdDiscovery) Watch(ctx context.Context, serviceName string) (<-chan []*ServiceInfo, error) {
	return d.feeds.watch(ctx, serviceName)
}

// Close ends all watches and deregisters what was registered here, for which it takes up to 3 s; an
// error says what could not be.
func (d *EtcdDiscovery) Close() error {
	if !d.feeds.close() {
		return nil
	}
	err := d.roll.close()
	if d.lease != clientv3.NoLease {
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		if _, revokeErr := d.client.Revoke(ctx, d.lease); err == nil && revokeErr != nil && !leaseLost(revokeErr) {
			err = etcdError(ctx, "give the lease back", revokeErr)
		}
	}
	return errors.Join(err, d.client.Close())
}

func (d *EtcdDiscovery) key(s *ServiceInfo) string { return d.prefix + "/" + s.Name + "/" + s.ID }

// put writes an instance under the lease, and under a new one if etcd does not know that any more.
func (d *EtcdDiscovery) put(ctx context.Context, s *ServiceInfo) error {
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("discovery: etcd: %w", err)
	}
	for fresh := false; ; fresh = true {
		if d.lease == clientv3.NoLease || fresh {
			granted, err := d.client.Grant(ctx, int64(d.ttl/time.Second))
			if err != nil {
				return etcdError(ctx, "register "+s.ID, err)
			}
			d.lease = granted.ID
		}
		_, err := d.client.Put(ctx, d.key(s), string(value), clientv3.WithLease(d.lease))
		switch {
		case err == nil:
			d.under[s.ID] = d.lease
			return nil
		case fresh || !leaseLost(err):
			return etcdError(ctx, "register "+s.ID, err)
		}
	}
}

func (d *EtcdDiscovery) remove(ctx context.Context, s *ServiceInfo) error {
	if s.Name == "" { // somebody else's, whose key is not known
		return nil
	}
	if _, err := d.client.Delete(ctx, d.key(s)); err != nil {
		return etcdError(ctx, "deregister "+s.ID, err)
	}
	delete(d.under, s.ID)
	return nil
}

// tend renews the lease, or gets a new one when etcd has lost it, and registers under it whatever is still under another: all,
// or what is left when that came to nothing half way, or when the new one was got to register something else.
func (d *EtcdDiscovery) tend(ctx context.Context, services []*ServiceInfo) error {
	switch _, err := d.client.KeepAliveOnce(ctx, d.lease); {
	case leaseLost(err):
		d.lease = clientv3.NoLease
	case err != nil:
		return err
	}
	for _, s := range services {
		if d.lease != clientv3.NoLease && d.under[s.ID] == d.lease {
			continue
		}
		if err := d.put(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func leaseLost(err error) bool { return errors.Is(err, rpctypes.ErrLeaseNotFound) }

func etcdError(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return fmt.Errorf("discovery: etcd: %s: %w", what, err)
}

// found is the instances of a service by their keys.
type found map[string]*ServiceInfo

// services returns the instances, each once even if it is registered under two prefixes.
func (f found) services() []*ServiceInfo {
	var all []*ServiceInfo
	known := make(map[string]bool, len(f))
	for _, key := range slices.Sorted(maps.Keys(f)) {
		if s := f[key]; !known[s.ID] {
			known[s.ID] = true
			all = append(all, s)
		}
	}
	return all
}

// list reads all instances, and at which revision they were so.
func (d *EtcdDiscovery) list(ctx context.Context, name string) (found, int64, error) {
	var reads []clientv3.Op
	for _, prefix := range d.prefixes {
		reads = append(reads, clientv3.OpGet(prefix+"/"+name+"/", clientv3.WithPrefix()))
	}
	got, err := d.client.Txn(ctx).Then(reads...).Commit()
	if err != nil {
		return nil, 0, etcdError(ctx, "look for "+name, err)
	}
	all := make(found)
	for _, read := range got.Responses {
		for _, kv := range read.GetResponseRange().GetKvs() {
			d.apply(all, name, mvccpb.Event_PUT, kv)
		}
	}
	return all, got.Header.GetRevision(), nil
}

// apply notes that a key was written or deleted. What cannot be read is no instance.
func (d *EtcdDiscovery) apply(all found, name string, what mvccpb.Event_EventType, kv *mvccpb.KeyValue) {
	key := string(kv.GetKey())
	delete(all, key)
	if what != mvccpb.Event_PUT {
		return
	}
	s, err := fromEtcd(name, key, kv.GetValue())
	if err != nil {
		d.opts.log.Warn("discovery: what is registered cannot be read", "key", key, "error", err)
		return
	}
	all[key] = s
}

// follow reads everything and then what changes, again and again.
func (d *EtcdDiscovery) follow(ctx context.Context, name string, publish func([]*ServiceInfo)) {
	var retry patience
	for ctx.Err() == nil {
		switch err := d.followOnce(ctx, name, publish); {
		case err == nil:
			retry.reset()
		case ctx.Err() == nil:
			if retry.next == 0 {
				d.opts.log.Warn("discovery: a service cannot be watched just now", "service", name, "error", err)
			}
			retry.wait(ctx)
		}
	}
}

// followOnce ends without an error when it is time to read everything anew.
func (d *EtcdDiscovery) followOnce(ctx context.Context, name string, publish func([]*ServiceInfo)) error {
	ctx, cancel := context.WithTimeout(ctx, etcdAgain)
	defer cancel()
	all, revision, err := d.list(ctx, name)
	if err != nil {
		return err
	}
	publish(all.services())
	changes := make([]clientv3.WatchChan, 2) // the channel of a prefix that there is not is nil
	for i, prefix := range d.prefixes {
		changes[i] = d.client.Watch(clientv3.WithRequireLeader(ctx), prefix+"/"+name+"/", clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	}
	for {
		var change clientv3.WatchResponse
		var open bool
		select {
		case change, open = <-changes[0]:
		case change, open = <-changes[1]:
		case <-ctx.Done():
			return nil
		}
		switch err := change.Err(); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return etcdError(ctx, "watch "+name, err)
		case !open:
			return errors.New("discovery: etcd: the watch has ended")
		}
		for _, e := range change.Events {
			d.apply(all, name, e.Type, e.Kv)
		}
		publish(all.services())
	}
}
