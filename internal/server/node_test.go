package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/blob"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/recording"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/plugin"
)

const patience = 60 * time.Second

// bench is a node's listeners on the loopback, with everything behind them.
type bench struct {
	ready    *server.Readiness
	store    *check
	log      *logBuffer
	registry *prometheus.Registry
	im       *grpc.ClientConn
	gateway  *grpc.ClientConn
	ops      string // http://host:port
	http     string // the same of the client HTTP listener
	blobs    string // the folder of recordings
	audios   *biz.Audios
	pushes   *biz.Pushes
	imAddr   string
	quicAddr string
	quic     *server.QUIC
	node     *node.Node
	gateways *gateway.Handler
	servers  map[string]listener // those of gRPC
}

// check is what readiness depends on.
type check struct {
	mu  sync.Mutex
	err error
}

func (c *check) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *check) get(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// logBuffer is a log that a test reads while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// panicker believes everybody and panics for the user panic, wherever that one calls.
type panicker struct{}

func (panicker) Name() string { return "test" }

func (panicker) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	switch c.UserID {
	case "panic":
		panic("a secret of the process")
	case "refused":
		return plugin.Identity{}, plugin.Unauthenticated("not you")
	}
	return plugin.Identity{UserID: c.UserID, Trusted: true}, nil
}

// start serves a node until the test ends. It is not ready yet.
func start(t *testing.T, overrides ...conf.Override) *bench {
	t.Helper()
	c := config(t, overrides...)
	b := &bench{store: &check{}, log: &logBuffer{}, registry: prometheus.NewRegistry()}
	log := slog.New(slog.NewTextHandler(b.log, nil))
	b.ready = server.NewReadiness(server.Check{Name: "store", Err: b.store.get})
	parts := assemble(t, c, log)

	verifier := auth.NewVerifier(panicker{}, log)
	certificates, err := server.NewCertificates(c, log)
	if err != nil {
		t.Fatal(err)
	}
	callers := server.Callers{Clients: verifier, Services: auth.NewServiceGuard(c.GetAuth(), verifier), Certificates: certificates}
	metrics, audioMetrics := server.NewMetrics(), service.NewAudioMetrics()
	b.registry.MustRegister(append(metrics.Collectors(), audioMetrics.Collectors()...)...)
	b.blobs, b.audios, b.node = parts.blobs, parts.audios, parts.node
	b.registry.MustRegister(parts.node.Collectors()...)
	streams := server.Streams{
		Load: parts.node.Core().Load,
		IM:   im.NewHandler(parts.node, parts.rules, verifier, im.Config{Heartbeat: 30 * time.Second, StartTimeout: time.Minute}, log),
		Gateway: gateway.NewHandler(parts.node, parts.rules.Pushes, biz.Builtin{}, nil, verifier, gateway.Config{
			StartTimeout: c.GetSession().GetStartTimeout().AsDuration(), RequestTimeout: time.Minute, MaxRequests: 10, Devices: gateway.Replace,
		}, log),
	}

	b.gateways = streams.Gateway
	sessions := biz.NewSessions(protocol.NewDirectory(parts.node))
	b.pushes = parts.rules.Pushes
	pages := server.OpsPages{Monitors: &server.Monitors{Ready: b.ready, Sessions: sessions, Services: callers.Services, Conf: c}}
	public, _, err := server.NewPublic(c, callers.Certificates, streams.Load, metrics)
	if err != nil {
		t.Fatal(err)
	}
	web := server.NewHTTP(public, parts.audios, streams, pages.Monitors, callers, metrics, log)
	uploads := service.NewUploads(parts.audios, public, audioMetrics, log)
	imServer, _, err := server.NewIM(c, server.IMAPI{
		IM:    service.NewIM(service.IMRules{Rooms: parts.rules.Rooms, Messages: parts.rules.Messages, History: parts.history}, uploads, b.ready, log),
		Rooms: service.NewRooms(parts.admin, log),
	}, streams, callers, b.ready, metrics, log)
	if err != nil {
		t.Fatal(err)
	}
	api := server.PushAPI{
		Gateway:  service.NewGateway(parts.rules.Pushes, nil, service.NewGatewayMetrics(), log),
		Sessions: service.NewSessions(sessions, log),
	}
	gateway, _, err := server.NewGateway(c, api, callers, b.ready, metrics, log)
	if err != nil {
		t.Fatal(err)
	}
	if pages.REST, err = server.NewREST(c, api, callers, log); err != nil {
		t.Fatal(err)
	}
	ops, _, err := server.NewOps(c, pages, nil, b.registry, nil, metrics, log)
	if err != nil {
		t.Fatal(err)
	}
	if b.quic, _, err = server.NewQUIC(c, streams, callers, b.ready, metrics, log); err != nil {
		t.Fatal(err)
	}
	b.servers = map[string]listener{"im": imServer, "gateway": gateway}
	b.quicAddr = serve(t, b.quic)
	b.imAddr = serve(t, imServer)
	b.http = "http://" + serve(t, web)
	b.im, b.gateway, b.ops = dial(t, b.imAddr), dial(t, serve(t, gateway)), "http://"+serve(t, ops)
	return b
}

func config(t *testing.T, overrides ...conf.Override) *conf.Config {
	t.Helper()
	for _, key := range []string{"server.im.addr", "server.gateway.addr", "server.http.addr", "server.ops.addr", "server.quic.addr"} {
		overrides = append([]conf.Override{{Path: key, Value: "127.0.0.1:0"}}, overrides...)
	}
	overrides = append([]conf.Override{{Path: "data.dir", Value: t.TempDir()}}, overrides...)
	c, err := conf.Load(nil, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// parts is what is behind the listeners.
type parts struct {
	history *biz.History
	admin   *biz.RoomAdmin
	node    *node.Node
	rules   im.Rules
	audios  *biz.Audios
	blobs   string
}

func assemble(t *testing.T, c *conf.Config, log *slog.Logger) parts {
	t.Helper()
	db, err := data.Open(t.Context(), data.Options{Driver: "sqlite", Dir: t.TempDir(), Synchronous: "normal"}, log)
	if err != nil {
		t.Fatal(err)
	}
	core := session.NewCore(session.Config{
		QueueBytes: 1 << 20, ResumeWindow: time.Minute, StallTimeout: c.GetSession().GetStallTimeout().AsDuration(), ExpiryGrace: time.Minute,
		AckTimeout: time.Minute, Load: limitsOf(c.GetOverload()),
	}, log)
	n := node.New(core, broker.NewMemory(), presence.New(0))
	live := protocol.NewDeliverer(n)
	rooms, members, cursors, inbox := data.NewRooms(db), data.NewMembers(db), data.NewCursors(db, log), data.NewInbox(db, log)
	messages, err := data.NewMessageLog(db, live, data.LogOptions{Events: im.EventContent}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after what runs in the background has ended
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	background(t, n.Run, cursors.Run, inbox.Run, messages.Run)
	dir := t.TempDir()
	blobs, err := blob.Open(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	audios := biz.NewAudios(rooms, members, biz.AudioStores{
		Audios: data.NewAudios(db), Upkeep: data.NewAudios(db), Blobs: data.NewBlobs(blobs), Inspector: recording.Inspector{},
	}, &biz.Transcripts{}, biz.AudioRules{
		MaxBytes: c.GetAudio().GetMaxBytes(), Formats: c.GetAudio().GetFormats(),
		MaxUploads: 20, MaxUploadsPerUser: 2, IdleTimeout: c.GetAudio().GetIdleTimeout().AsDuration(), UploadTimeout: time.Minute,
		URLs: biz.AudioURLRules{
			Keys: [][]byte{[]byte("key")}, Lifetime: c.GetAudio().GetUrl().GetLifetime().AsDuration(), SignUploads: c.GetAudio().GetUrl().GetSignUploads(),
		},
	}, log)
	size := int(c.GetMessage().GetMaxContentBytes())
	inRooms := biz.NewRooms(rooms, members, messages, live, live, biz.RoomRules{AutoCreate: true, Defaults: biz.DefaultRoomConfig()})
	history := biz.NewHistory(data.NewHistory(db))
	admin := biz.NewRoomAdmin(inRooms, data.NewRoomBook(db), history, im.EventContent)
	return parts{node: n, audios: audios, blobs: dir, history: history, admin: admin, rules: im.Rules{
		Rooms:    inRooms,
		Messages: biz.NewMessages(rooms, messages, live, biz.MessageRules{MaxContentBytes: size, MaxMetadataBytes: 1000}),
		Backlog:  biz.NewBacklog(rooms, members, messages, cursors),
		Pushes:   biz.NewPushes(protocol.NewPusher(n), inbox, data.NewPushKeys(db, log), biz.PushRules{MaxBytes: int(c.GetPush().GetMaxBytes()), MaxTargets: 10, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 10, Bytes: 1 << 20}}),
	}}
}

func limitsOf(o *conf.Overload) overload.Limits {
	return overload.Limits{
		Connections: int(o.GetMaxConnections()), PerAddress: int(o.GetMaxConnectionsPerAddress()),
		Requests: int(o.GetRequestsPerSecond()), Burst: int(o.GetRequestBurst()),
		QueueBytes: o.GetQueueBytes(), RetryAfter: o.GetRetryAfter().AsDuration(),
	}
}

// background runs what runs in the background, until the test ends.
func background(t *testing.T, runs ...func(context.Context) error) {
	t.Helper()
	for _, run := range runs {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// listener is one of the node's servers.
type listener interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Endpoint() (*url.URL, error)
}

// serve starts a server and returns its address.
func serve(t *testing.T, s listener) (addr string) {
	t.Helper()
	u, err := s.Endpoint() // first, as Kratos does: afterwards it is a race
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Start(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := errors.Join(s.Stop(ctx), <-done); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	return u.Host
}

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// as is a call by a user, who may be empty, with more metadata.
func as(t *testing.T, user string, pairs ...string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	if user != "" {
		pairs = append(pairs, "user-id", user)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// get fetches a page of the operations listener.
func (b *bench) get(t *testing.T, path string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(as(t, ""), http.MethodGet, b.ops+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// metric returns the value of a counter or gauge, or the count of a histogram, that has the labels.
func (b *bench) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name || len(m.GetLabel()) != len(labels) {
				continue
			}
			same := true
			for i, l := range m.GetLabel() { // sorted by name
				same = same && l.GetValue() == labels[i]
			}
			if same {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
