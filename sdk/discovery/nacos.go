package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

const (
	nacosPort    = 8848
	nacosTimeout = 5 * time.Second
	// nacosCluster is Nacos' own default.
	nacosCluster = "DEFAULT"
	// nacosAttempts is how often an instance is registered that the server refuses.
	nacosAttempts = 5
	// nacosAgain is how often the list that the SDK has is read anew. When it connects again it may
	// sort a list, without a lock, that it is telling of.
	nacosAgain = 10 * time.Second
)

// NacosDiscovery is a ServiceDiscovery in Nacos, from version 2 on. What is registered is ephemeral:
// it lives as long as the connection to Nacos, and is registered again by the Nacos SDK whenever that
// is made anew. IDs and tags are kept in the metadata, under keys that nobody else sees here; instances
// that others registered have Nacos' own IDs. Instances that are disabled, have no weight or are not
// healthy are unhealthy.
//
// It owns a goroutine for each service that is watched, and the Nacos SDK several for each connection.
// Of those a goroutine and a UDP socket remain, by a fault of the SDK, until the program ends: a program
// opens a discovery once. Connections are one for all services, and one more for each further instance that is registered of
// the same service: Nacos keeps the last instance only of those that come over one connection.
type NacosDiscovery struct {
	param  vo.NacosClientParam
	group  string
	folder string // to be removed; empty: not ours
	opts   *options
	feeds  *feeds

	// subscribing keeps apart who ends a subscription and who begins one to the same service: the
	// end would be that of both.
	subscribing sync.Mutex

	turn    chan struct{} // held by who registers or deregisters
	clients []*nacosClient
}

// nacosSDK is held while clients are made or closed: the SDK has a map of them without a lock.
var nacosSDK sync.Mutex

// NewNacosDiscovery returns a discovery over the Nacos servers at these addresses, host:port or host
// alone for port 8848; their gRPC ports are 1000 above. It waits some seconds for a server, and goes
// on trying later if there is none. Options: WithTLSFiles, WithCredentials, WithNamespace, WithGroup,
// WithFolder, WithLogger.
func NewNacosDiscovery(addresses []string, opts ...Option) (*NacosDiscovery, error) {
	o, err := choose("Nacos", opts, "WithCredentials", "WithNamespace", "WithGroup", "WithFolder")
	if err != nil {
		return nil, err
	}
	if _, err := o.tlsConfig(); err != nil {
		return nil, err // the SDK would say so in its log alone
	}
	servers, err := nacosServers(addresses)
	if err != nil {
		return nil, err
	}
	d := &NacosDiscovery{group: o.group, opts: o, turn: make(chan struct{}, 1)}
	setString(&d.group, constant.DEFAULT_GROUP)
	d.feeds = newFeeds(d.follow)
	logs := o.folder
	if o.folder == "" {
		if d.folder, err = os.MkdirTemp("", "nacos-"); err != nil {
			return nil, fmt.Errorf("discovery: nacos: %w", err)
		}
		o.folder, logs = d.folder, filepath.Join(os.TempDir(), "nacos-sdk-go") // the log outlives this client
	}
	d.param = vo.NacosClientParam{ClientConfig: d.config(logs), ServerConfigs: servers}
	if _, err := d.connect(); err != nil {
		return nil, errors.Join(err, d.removeFolder())
	}
	return d, nil
}

func setString(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// config keeps the SDK from doing what it does by default: write to the working directory, and
// believe what it wrote there yesterday.
func (d *NacosDiscovery) config(logs string) *constant.ClientConfig {
	config := &constant.ClientConfig{
		NamespaceId: d.opts.namespace, Username: d.opts.username, Password: d.opts.password,
		TimeoutMs: uint64(nacosTimeout.Milliseconds()),
		LogDir:    filepath.Join(logs, "log"), CacheDir: filepath.Join(d.opts.folder, "cache"), LogLevel: "error",
		LogRollingConfig:    &constant.ClientLogRollingConfig{MaxSize: 10, MaxBackups: 2},
		NotLoadCacheAtStart: true, DisableUseSnapShot: true, UpdateCacheWhenEmpty: true,
		TLSCfg: constant.TLSConfig{Appointed: true},
	}
	if f := d.opts.files; f != nil {
		config.TLSCfg = constant.TLSConfig{
			Appointed: true, Enable: true, CaFile: f.CA, CertFile: f.Cert, KeyFile: f.Key, ServerNameOverride: f.ServerName,
		}
	}
	return config
}

func nacosServers(addresses []string) ([]constant.ServerConfig, error) {
	if len(addresses) == 0 {
		return nil, errors.New("discovery: no addresses of Nacos servers")
	}
	var servers []constant.ServerConfig
	for _, address := range addresses {
		host, text, err := net.SplitHostPort(address)
		if err != nil && !strings.Contains(address, ":") {
			host, text, err = address, strconv.Itoa(nacosPort), nil
		}
		port, portErr := strconv.ParseUint(text, 10, 16)
		if err != nil || portErr != nil || host == "" || port == 0 {
			return nil, fmt.Errorf("discovery: %q is no address of a Nacos server: it is host or host:port", address)
		}
		servers = append(servers, *constant.NewServerConfig(host, port))
	}
	return servers, nil
}

// connect makes a further client.
func (d *NacosDiscovery) connect() (*nacosClient, error) {
	nacosSDK.Lock()
	defer nacosSDK.Unlock()
	naming, err := clients.NewNamingClient(d.param)
	if err != nil {
		return nil, fmt.Errorf("discovery: nacos: %w", err)
	}
	c := &nacosClient{naming: naming, service: make(map[string]*ServiceInfo)}
	d.clients = append(d.clients, c)
	return c, nil
}

// naming is the client over which services are looked for.
func (d *NacosDiscovery) naming() naming_client.INamingClient { return d.clients[0].naming }

// Register makes the instance known for as long as this program lives. Its Health is not taken: who
// is connected is healthy.
func (d *NacosDiscovery) Register(ctx context.Context, service *ServiceInfo) error {
	if err := service.Validate(); err != nil {
		return err
	}
	s := registered(service)
	return d.alone(ctx, func() error {
		c, before, err := d.place(s)
		if err != nil {
			return err
		}
		if before != nil && (before.Name != s.Name || before.Target() != s.Target()) {
			if err := c.remove(d.group, before); err != nil {
				return err
			}
		}
		if err := c.put(ctx, d.group, s); err != nil {
			return err
		}
		c.service[s.Name] = s
		return nil
	})
}

// Deregister makes an instance unknown that was registered here; others are left alone.
func (d *NacosDiscovery) Deregister(ctx context.Context, serviceID string) error {
	return d.alone(ctx, func() error {
		c, s := d.holder(serviceID)
		if s == nil {
			return nil
		}
		return c.remove(d.group, s)
	})
}

// Discover returns the instances that Nacos has told of last, if the service is watched, else those
// that it has now.
func (d *NacosDiscovery) Discover(ctx context.Context, serviceName string) ([]*ServiceInfo, error) {
	if err := d.feeds.ready(ctx); err != nil {
		return nil, err
	}
	if services, known := d.feeds.latest(serviceName); known {
		return services, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lists, err := d.feeds.watch(ctx, serviceName)
	if err != nil {
		return nil, err
	}
	late := time.NewTimer(nacosTimeout)
	defer late.Stop()
	select {
	case services, open := <-lists:
		if open {
			return services, nil
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		return nil, ErrClosed
	case <-late.C:
		return nil, fmt.Errorf("discovery: nacos: look for %s: no answer within %v", serviceName, nacosTimeout)
	}
}

// Watch sends the instances now and whenever they change.
func (d *NacosDiscovery) Watch(ctx context.Context, serviceName string) (<-chan []*ServiceInfo, error) {
	return d.feeds.watch(ctx, serviceName)
}

// Close ends all watches and the connections, and with them what was registered here.
func (d *NacosDiscovery) Close() error {
	if !d.feeds.close() {
		return nil
	}
	d.turn <- struct{}{} // for ever: calls of the SDK end by their own timeouts
	nacosSDK.Lock()
	defer nacosSDK.Unlock()
	for _, c := range d.clients {
		for _, s := range c.service {
			if !c.naming.ServerHealthy() {
				break
			}
			_ = c.remove(d.group, s) // faster for others than the end of the connection, which does the same
		}
		c.naming.CloseClient()
	}
	return d.removeFolder()
}

func (d *NacosDiscovery) removeFolder() error {
	if d.folder == "" {
		return nil
	}
	return os.RemoveAll(d.folder)
}

// alone has call, which knows no context, run when nobody else does so, and does not wait for it
// longer than ctx lasts.
func (d *NacosDiscovery) alone(ctx context.Context, call func() error) error {
	if err := d.feeds.ready(ctx); err != nil {
		return err
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-d.turn }()
		if err := d.feeds.ready(ctx); err != nil { // closed meanwhile
			done <- err
			return
		}
		done <- call()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("discovery: nacos: %w", context.Cause(ctx))
	}
}
