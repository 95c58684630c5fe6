package hermod

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/blob"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/internal/upstream"
)

// The functions below turn sections of the configuration into what constructors take, so that no
// layer but this one knows all of it.

func openStore(ctx context.Context, c *conf.Config, log *slog.Logger) (*data.DB, func(), error) {
	db, err := data.Open(ctx, data.Options{
		Driver:      c.GetData().GetDatabase().GetDriver(),
		DSN:         c.GetData().GetDatabase().GetDsn(),
		Dir:         c.GetData().GetDir(),
		Synchronous: c.GetData().GetDatabase().GetSynchronous(),

		Readers:          int(c.GetData().GetDatabase().GetReaders()),
		StatementTimeout: c.GetData().GetDatabase().GetStatementTimeout().AsDuration(),
		Shared:           c.GetCluster().Joined(),
	}, log)
	if err != nil {
		return nil, nil, err
	}
	return db, func() {
		if err := db.Close(); err != nil {
			log.Error("the store did not close", "error", err)
		}
	}, nil
}

// openBlobs opens the folder, or the bucket, that uploads are in.
func openBlobs(ctx context.Context, c *conf.Config, log *slog.Logger) (biz.Blobs, func(), error) {
	if c.GetData().GetBlobs().GetStore() == conf.BlobsS3 {
		s, err := blob.OpenS3(ctx, s3Options(c.GetData().GetBlobs().GetS3()), log)
		return s, func() {}, err
	}
	d, err := blob.Open(filepath.Join(c.GetData().GetDir(), "blobs"), log)
	if err != nil {
		return nil, nil, err
	}
	return d, func() {
		if err := d.Close(); err != nil {
			log.Error("the store of recordings did not close", "error", err)
		}
	}, nil
}

func s3Options(s *conf.Data_Blobs_S3) blob.S3Options {
	return blob.S3Options{
		Endpoint: s.GetEndpoint(), Region: s.GetRegion(), Bucket: s.GetBucket(), Prefix: s.GetPrefix(),
		AccessKey: s.GetAccessKey(), SecretKey: s.GetSecretKey(), CredentialsFile: s.GetCredentialsFile(), Profile: s.GetProfile(),
		PathStyle: s.GetPathStyle(), CAFile: s.GetCaFile(), Timeout: s.GetTimeout().AsDuration(),
	}
}

func logOptions(c *conf.Config) data.LogOptions {
	l := c.GetData().GetLog()
	return data.LogOptions{
		BatchRows:      int(l.GetBatchRows()),
		QueuedMessages: int(l.GetQueueMessages()),
		QueuedBytes:    int(l.GetQueueBytes()),
		Events:         eventEncoder(),
	}
}

func newJanitor(c *conf.Config, db *data.DB, o data.LogOptions, log *slog.Logger) *data.Janitor {
	j := data.NewJanitor(db, o.IdempotencyWindow, log)
	j.SetRetention(retention(c))
	return j
}

func searchRules(c *conf.Config) biz.SearchRules {
	return biz.SearchRules{Enabled: c.GetSearch().GetEnabled()}
}

// newIndexer returns what indexes for Search, or nil where nothing is searched.
func newIndexer(c *conf.Config, db *data.DB, log *slog.Logger) *data.Indexer {
	if !c.GetSearch().GetEnabled() {
		return nil
	}
	return data.NewIndexer(db, imcall.Reader{}, log)
}

func retention(c *conf.Config) biz.Retention {
	r := c.GetData().GetRetention()
	return biz.Retention{
		MaxAge: r.GetMaxAge().AsDuration(), MaxMessages: int64(r.GetMaxMessages()),
		Unreferenced: c.GetAudio().GetUnreferenced().AsDuration(),
	}
}

func sessionConfig(c *conf.Config) session.Config {
	s := c.GetSession()
	return session.Config{
		QueueBytes:   int(s.GetQueueBytes()),
		ResumeWindow: s.GetResumeWindow().AsDuration(),
		StallTimeout: s.GetStallTimeout().AsDuration(),
		ExpiryGrace:  c.GetAuth().GetExpiryGrace().AsDuration(),
		AckTimeout:   c.GetGateway().GetAckTimeout().AsDuration(),
		MaxResends:   int(c.GetGateway().GetMaxResends()),
		BoundFor:     c.GetGateway().GetRequestTimeout().AsDuration(),
		Load:         loadLimits(c.GetOverload()),
	}
}

func loadLimits(o *conf.Overload) overload.Limits {
	return overload.Limits{
		Connections: int(o.GetMaxConnections()),
		PerAddress:  int(o.GetMaxConnectionsPerAddress()),
		Requests:    int(o.GetRequestsPerSecond()),
		Burst:       int(o.GetRequestBurst()),
		QueueBytes:  o.GetQueueBytes(),
		RetryAfter:  o.GetRetryAfter().AsDuration(),
	}
}

func gatewayConfig(c *conf.Config) gateway.Config {
	s, g := c.GetSession(), c.GetGateway()
	return gateway.Config{
		Heartbeat:      s.GetHeartbeat().AsDuration(),
		StartTimeout:   s.GetStartTimeout().AsDuration(),
		SendsPerSecond: float64(s.GetSendsPerSecond()),
		SendBurst:      int(s.GetSendBurst()),
		RequestTimeout: g.GetRequestTimeout().AsDuration(),
		MaxRequests:    int(g.GetMaxRequests()),
		Devices:        gateway.Devices(g.GetDevices().GetPolicy()),
		MaxDevices:     int(g.GetDevices().GetMax()),
	}
}

// newServices returns what answers the requests of gateway sessions.
func newServices(c *conf.Config, caller biz.UpstreamCaller, meter biz.UpstreamMeter, log *slog.Logger) *biz.Services {
	var builtin biz.Upstream = biz.LoginOnly{}
	if c.GetGateway().GetBuiltinUpstream() {
		builtin = biz.Builtin{}
	}
	return biz.NewServices(caller, builtin, meter, upstreamRules(c), log)
}

func newCaller(c *conf.Config) (*upstream.Caller, func(), error) {
	caller, err := upstream.Open(c.GetUpstream().GetTls())
	if err != nil {
		return nil, nil, err
	}
	return caller, caller.Close, nil
}

// newFinder returns what looks for business services in the node's registry.
func newFinder(c *conf.Config, services *biz.Services, log *slog.Logger) (*registry.Finder, error) {
	r, err := registry.Open(c.GetRegistry(), filepath.Join(c.GetData().GetDir(), "discovery"))
	if err != nil {
		return nil, err
	}
	return registry.NewFinder(r, services.Names, func(name string, found []registry.Found) {
		endpoints := make([]biz.Endpoint, len(found))
		for i, f := range found {
			endpoints[i] = biz.Endpoint{Address: f.Address, TLS: f.Secure}
		}
		services.Found(name, endpoints)
	}, log), nil
}

func upstreamRules(c *conf.Config) biz.UpstreamRules {
	u := c.GetUpstream()
	rules := biz.UpstreamRules{
		Closed:        !u.GetRegistration(),
		MaxConcurrent: int(u.GetMaxConcurrent()),
		Breaker:       biz.BreakerRules{Failures: int(u.GetBreaker().GetFailures()), OpenFor: u.GetBreaker().GetOpen().AsDuration()},
		Unreachable:   u.GetLease().GetUnreachable().AsDuration(),
		MaxLease:      u.GetLease().GetMax().AsDuration(),
	}
	for _, z := range u.GetZones() {
		if from, to, err := z.Range(); err == nil { // the configuration was checked
			rules.Zones = append(rules.Zones, biz.Zone{Name: z.GetName(), From: from, To: to})
		}
	}
	for _, s := range u.GetServices() {
		addrs, names := s.Split()
		rules.Services = append(rules.Services, biz.ServiceRules{
			Name: s.GetName(), Addresses: addrs, Discovered: names, ByHash: s.GetBalance() == conf.BalanceHash,
			Idempotent: s.GetIdempotent(), Timeout: s.GetTimeout().AsDuration(), MaxConcurrent: int(s.GetMaxConcurrent()),
		})
	}
	for _, r := range u.GetRoutes() {
		name, value := r.HeaderValue()
		rules.Routes = append(rules.Routes, biz.Route{
			Action: r.GetAction(), Zones: r.GetZones(), Header: name, Value: value, Service: r.GetService(),
		})
	}
	return rules
}

// newMoves lets sessions of both protocols move between the nodes of a cluster.
func newMoves(n *node.Node, i *im.Handler, g *gateway.Handler, log *slog.Logger) *protocol.Moves {
	return protocol.NewMoves(n, map[string]protocol.Movable{"im": i, "gateway": g}, log)
}

func newPresence(c *conf.Config) *presence.Tracker {
	return presence.New(c.GetSession().GetPresenceGrace().AsDuration())
}

func ephemeralRules(c *conf.Config) biz.EphemeralRules {
	s := c.GetSession()
	return biz.EphemeralRules{PerSecond: float64(s.GetEphemeralsPerSecond()), Burst: int(s.GetEphemeralBurst())}
}

func watermarkRules(c *conf.Config) biz.WatermarkRules {
	return biz.WatermarkRules{MaxTold: int(c.GetRoom().GetLiveReadsUpTo())}
}

func presenceRules(c *conf.Config) biz.PresenceRules {
	return biz.PresenceRules{MaxNamed: int(c.GetPresence().GetMaxNamed())}
}

func newWitness(c *conf.Config, n *node.Node, seen protocol.Seen) *protocol.Witness {
	return protocol.NewWitness(n, seen, c.GetPresence().GetLastSeenInterval().AsDuration())
}

func imConfig(c *conf.Config) im.Config {
	s := c.GetSession()
	return im.Config{
		Heartbeat:      s.GetHeartbeat().AsDuration(),
		StartTimeout:   s.GetStartTimeout().AsDuration(),
		SendsPerSecond: float64(s.GetSendsPerSecond()),
		SendBurst:      int(s.GetSendBurst()),
	}
}

func roomRules(c *conf.Config) biz.RoomRules {
	d := c.GetRoom().GetDefaults()
	return biz.RoomRules{
		AutoCreate: c.GetRoom().GetAutoCreate(),
		MaxPerUser: int(c.GetRoom().GetMaxPerUser()),
		Defaults: biz.RoomConfig{
			MaxUsers:       int(d.GetMaxUsers()),
			Persistent:     d.GetPersistent(),
			MessageTTL:     d.GetMessageTtl().AsDuration(),
			IdleTimeout:    d.GetIdleTimeout().AsDuration(),
			AllowAudio:     d.GetAllowAudio(),
			AllowRichText:  d.GetAllowRichText(),
			AutoTranscribe: d.GetAutoTranscribe(),
		},
	}
}

func messageRules(c *conf.Config) biz.MessageRules {
	return biz.MessageRules{
		MaxContentBytes:  int(c.GetMessage().GetMaxContentBytes()),
		MaxMetadataBytes: int(c.GetMessage().GetMaxMetadataBytes()),
		EditWindow:       c.GetMessage().GetEditWindow().AsDuration(),
		RecallWindow:     c.GetMessage().GetRecallWindow().AsDuration(),
	}
}

// urlKey is what signs addresses of recordings where the configuration names nothing. Nodes that share a
// database have the same.
type urlKey []byte

func newURLKey(ctx context.Context, secrets *data.Secrets) (urlKey, error) {
	return secrets.Secret(ctx, "audio url")
}

func audioRules(c *conf.Config, made urlKey) biz.AudioRules {
	a := c.GetAudio()
	keys := [][]byte{made}
	if given := a.GetUrl().Keys(); len(given) > 0 {
		keys = nil
		for _, k := range given {
			keys = append(keys, []byte(k))
		}
	}
	return biz.AudioRules{
		URLs: biz.AudioURLRules{
			Keys: keys, Lifetime: a.GetUrl().GetLifetime().AsDuration(), SignUploads: a.GetUrl().GetSignUploads(),
		},
		MaxBytes:          a.GetMaxBytes(),
		Formats:           a.GetFormats(),
		MaxUploads:        int(a.GetMaxUploads()),
		MaxUploadsPerUser: int(a.GetMaxUploadsPerUser()),
		IdleTimeout:       a.GetIdleTimeout().AsDuration(),
		UploadTimeout:     a.GetUploadTimeout().AsDuration(),
	}
}

func pushRules(c *conf.Config) biz.PushRules {
	return biz.PushRules{
		MaxBytes:   int(c.GetPush().GetMaxBytes()),
		MaxTargets: int(c.GetPush().GetMaxTargets()),
		InboxTTL:   c.GetPush().GetInboxTtl().AsDuration(),
		Inbox: biz.InboxLimits{
			Pushes:     int(c.GetPush().GetInboxPerUser()),
			Bytes:      c.GetPush().GetInboxBytes(),
			DropOldest: c.GetPush().GetInboxOverflow() == "drop_oldest",
		},
	}
}

func transcriptRules(c *conf.Config) biz.TranscriptRules {
	t := c.GetAudio().GetTranscription()
	return biz.TranscriptRules{
		Workers:  int(t.GetWorkers()),
		Timeout:  t.GetTimeout().AsDuration(),
		Attempts: int(t.GetAttempts()),
		Backoff:  t.GetBackoff().AsDuration(),
	}
}

func eventEncoder() biz.EventEncoder { return im.EventContent }

func transcriptEncoder() biz.TranscriptEncoder { return imcall.Transcribed }

func newReadiness(db *data.DB) *server.Readiness {
	return server.NewReadiness(server.Check{Name: "store", Err: db.Ping})
}

// newNotes are what /readyz says besides.
func newNotes(s *registry.Status, live *conf.Live, b broker.Cluster, blobs biz.Blobs) []server.Note {
	return []server.Note{
		{Name: "recordings", Text: func() string { return healthOf(blobs) }},
		{Name: "registry", Text: s.String},
		{Name: "cluster", Text: func() string { return clusterState(b) }},
		{Name: "configuration", Text: func() string {
			if keys := live.Waiting(); len(keys) > 0 {
				return "changed, and waits for a restart: " + strings.Join(keys, ", ")
			}
			return ""
		}},
	}
}

// healthOf says what is wrong with the store of recordings. A node without one is no use for recordings alone,
// and so stays ready.
func healthOf(blobs biz.Blobs) string {
	if b, ok := blobs.(interface{ Health() string }); ok { // a folder has nothing to say
		return b.Health()
	}
	return ""
}

func registryWeight(c *conf.Config) int { return int(c.GetRegistry().GetWeight()) }

// listing is what a registration goes by, and where it is told how it stands.
type listing struct {
	Ready   *server.Readiness
	Status  *registry.Status
	Metrics *registry.Metrics
}

// newKeeper keeps the node registered at the addresses that its listeners were opened with.
func newKeeper(c *conf.Config, im *server.IM, g *server.Gateway, l listing, log *slog.Logger) (*registry.Keeper, error) {
	r, err := registry.Open(c.GetRegistry(), c.GetData().GetDir())
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	at, err := registry.Advertised(c.GetRegistry(), im.Addr(), g.Addr())
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	at.IM.Secure = c.GetServer().GetIm().GetTls().Enabled()
	at.Gateway.Secure = c.GetServer().GetGateway().GetTls().Enabled()
	return registry.NewKeeper(r, registry.Instances(c.GetRegistry(), at, Version), registry.Options{
		Type: c.GetRegistry().GetType(), TTL: c.GetRegistry().GetTtl().AsDuration(),
		Healthy: l.Ready.Ready, Status: l.Status, Metrics: l.Metrics, Log: log,
	}), nil
}

// meters are the parts of a node that have instruments.
type meters struct {
	Store       *data.DB
	Node        *node.Node
	Server      *server.Metrics
	Gateway     *service.GatewayMetrics
	Audio       *service.AudioMetrics
	Transcripts *service.TranscriptMetrics
	Streams     server.Streams
	Watches     *protocol.Watches
	Registry    *registry.Metrics
	Upstream    *service.UpstreamMetrics
	Services    *biz.Services
	Live        *conf.Live
	Cluster     broker.Cluster

	Certificates *server.Certificates
	Plugins      *plugins.Metrics
}

// newMetricsRegistry gathers the instruments of everything that has some.
func newMetricsRegistry(m meters) (prometheus.Gatherer, error) {
	r := prometheus.NewRegistry()
	all := []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	for _, owner := range []interface{ Collectors() []prometheus.Collector }{
		m.Store, m.Node, m.Server, m.Gateway, m.Audio, m.Transcripts, m.Streams.IM, m.Streams.Gateway, m.Watches, m.Registry, m.Upstream,
		service.NewInstanceGauges(m.Services), m.Live, m.Certificates, m.Plugins,
	} {
		all = append(all, owner.Collectors()...)
	}
	if owner, ok := m.Cluster.(interface{ Collectors() []prometheus.Collector }); ok { // a node that is alone has none
		all = append(all, owner.Collectors()...)
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register a metric: %w", err)
		}
	}
	return r, nil
}
