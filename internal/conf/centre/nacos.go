package centre

import (
	"cmp"
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/common/logger"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
	"go.uber.org/zap"

	"github.com/game-im/hermod/internal/conf"
)

type nacos struct {
	address
	dir string

	mu     sync.Mutex
	client config_client.IConfigClient
	closed bool
}

func newNacos(a address, o Options) Source { return &nacos{address: a, dir: o.Dir} }

var quietNacos = sync.OnceFunc(func() {
	// Without a logger of ours the SDK opens a file. It logs what it does again and again while a
	// server is away, which is told once elsewhere.
	logger.SetLogger(&logger.NacosLogger{SugaredLogger: zap.NewNop().Sugar()})
})

func (n *nacos) connect() (config_client.IConfigClient, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errClosed
	}
	if n.client != nil {
		return n.client, nil
	}
	servers := make([]constant.ServerConfig, len(n.hosts))
	for i, host := range n.hosts {
		name, text, err := net.SplitHostPort(host)
		if err != nil {
			return nil, err
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, err
		}
		servers[i] = *constant.NewServerConfig(name, port)
	}
	quietNacos()
	// The SDK keeps a copy of what it has read, secrets included.
	dir := filepath.Join(n.dir, "nacos")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c, err := clients.NewConfigClient(vo.NacosClientParam{
		ServerConfigs: servers,
		ClientConfig: constant.NewClientConfig(
			constant.WithNamespaceId(n.query.Get("namespace")),
			constant.WithUsername(n.username), constant.WithPassword(n.password),
			constant.WithTimeoutMs(uint64(dialTimeout.Milliseconds())),
			constant.WithCacheDir(dir), constant.WithLogDir(dir),
			// An old copy in place of an answer would pass for the present configuration.
			constant.WithDisableUseSnapShot(true), constant.WithNotLoadCacheAtStart(true),
			constant.WithTLS(constant.TLSConfig{
				Appointed: true, Enable: n.tls.on, CaFile: n.tls.ca, CertFile: n.tls.cert, KeyFile: n.tls.key,
			}),
		),
	})
	if err != nil {
		return nil, err
	}
	n.client = c
	return c, nil
}

func (n *nacos) param() vo.ConfigParam {
	return vo.ConfigParam{DataId: n.key, Group: cmp.Or(n.query.Get("group"), constant.DEFAULT_GROUP)}
}

// Read implements conf.Source. The SDK knows no contexts: a call that outlives ctx is left behind,
// and ends by its own timeout.
func (n *nacos) Read(ctx context.Context) ([]conf.Document, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		c, err := n.connect()
		if err != nil {
			answers <- answer{err: err}
			return
		}
		text, err := c.GetConfig(n.param())
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, a.err
		}
		return n.documents([]entry{{n.key, []byte(a.text)}})
	case <-ctx.Done():
		return nil, n.explain(ctx.Err())
	}
}

// Watch implements conf.Source. The SDK listens again by itself after an outage.
func (n *nacos) Watch(ctx context.Context, changed func()) {
	param := n.param()
	param.OnChange = func(string, string, string, string) { changed() }
	var between pause
	for ctx.Err() == nil {
		if c, err := n.connect(); err == nil && c.ListenConfig(param) == nil {
			<-ctx.Done()
			_ = c.CancelListenConfig(param) // it only forgets the function
			return
		}
		between.wait(ctx)
	}
}

// Close implements Source.
func (n *nacos) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	if n.client != nil {
		n.client.CloseClient()
	}
	return nil
}
