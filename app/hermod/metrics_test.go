package hermod

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/plugins/mobilepush"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/internal/webhook"
	"github.com/game-im/hermod/plugin"
)

const catalogue = "../../docs/metrics.md"

// family is a metric family as the catalogue and a node describe it.
type family struct {
	kind   string // counter, gauge, histogram
	labels string // sorted, with commas
	always bool   // served from the start, and not only once there is something to count
}

var (
	row        = regexp.MustCompile("^\\| `(hermod_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\| ([a-z ]+) \\| (.*) \\|$")
	typeLine   = regexp.MustCompile(`^# TYPE (\S+) (\S+)$`)
	sample     = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? \S+$`)
	labelName  = regexp.MustCompile(`([a-z_]+)="`)
	descriptor = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)
)

// documented reads the catalogue.
func documented(t *testing.T) map[string]family {
	t.Helper()
	text, err := os.ReadFile(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]family{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `hermod_") {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("a row that is not like the others: %s", line)
			continue
		}
		if _, twice := families[m[1]]; twice || m[5] == "" {
			t.Errorf("%s is there twice, or its meaning is empty", m[1])
		}
		labels := strings.FieldsFunc(strings.ReplaceAll(m[3], "`", ""), func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		families[m[1]] = family{kind: m[2], labels: strings.Join(labels, ","), always: m[4] == "always"}
	}
	if len(families) == 0 {
		t.Fatal("the catalogue is empty")
	}
	return families
}

// unconfigured is mobile-push with its instruments and no keys, which would be of files.
type unconfigured struct{ push *mobilepush.Push }

func (u unconfigured) Name() string                       { return u.push.Name() }
func (u unconfigured) Collectors() []prometheus.Collector { return u.push.Collectors() }

// described asks the node's collectors what they may ever serve.
func described(t *testing.T) map[string]string {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	set := conf.Set{Overrides: []conf.Override{{Path: "data.dir", Value: t.TempDir()}}}
	loaded, err := set.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := loaded.Config
	db, cleanup, err := openStore(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cleanup)
	n := node.New(session.NewCore(session.Config{}, quiet), broker.NewMemory(), newPresence(c))
	c.Cluster = &conf.Cluster{Type: conf.ClusterRedis, Addrs: "127.0.0.1:6379", Name: "hermod"} // never connected
	d, closeDoors, err := openDoors(t.Context(), c, Standard(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeDoors)
	joined, err := newBroker(c, d, quiet)
	if err != nil {
		t.Fatal(err)
	}
	streams := server.Streams{
		IM:      im.NewHandler(n, im.Rules{}, nil, im.Config{}, quiet),
		Gateway: gateway.NewHandler(n, nil, nil, nil, nil, gateway.Config{}, quiet),
	}
	certificates, err := server.NewCertificates(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	hosted, err := plugins.New([]*conf.Plugin{{Name: "mobile-push"}}, []plugin.Plugin{unconfigured{mobilepush.New()}}, plugins.NewMetrics(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	gathered, err := newMetricsRegistry(meters{
		Store: db, Node: n, Server: server.NewMetrics(), Gateway: service.NewGatewayMetrics(),
		Audio: service.NewAudioMetrics(), Transcripts: service.NewTranscriptMetrics(), Streams: streams,
		Registry: registry.NewMetrics(), Upstream: service.NewUpstreamMetrics(), Live: conf.NewLive(set, loaded, quiet), Certificates: certificates,
		Cluster: joined, Blobs: data.NewBlobs(nil), Watches: protocol.NewWatches(n, nil, nil, quiet), Plugins: plugins.NewMetrics(), Webhooks: webhook.NewMetrics(), Outside: d.Outside, Hosted: hosted,
	})
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan *prometheus.Desc, 1000)
	gathered.(prometheus.Collector).Describe(ch)
	close(ch)
	families := map[string]string{}
	for d := range ch {
		m := descriptor.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a descriptor that is not understood: %s", d)
		}
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		families[m[1]] = strings.Join(labels, ",")
	}
	return families
}

// scraped reads what /metrics serves now.
func scraped(t *testing.T, p *process) map[string]family {
	t.Helper()
	code, body := p.get(t, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", code, body)
	}
	families := map[string]family{}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if m := typeLine.FindStringSubmatch(line); m != nil {
			families[m[1]] = family{kind: m[2]}
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := m[1]
		if _, ok := families[name]; !ok { // a histogram's sample
			name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		}
		var labels []string
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		f := families[name]
		f.labels = strings.Join(labels, ",")
		families[name] = f
	}
	maps.DeleteFunc(families, func(name string, _ family) bool { return !strings.HasPrefix(name, "hermod_") })
	return families
}

// TestMetricsCatalogue holds docs/metrics.md against what the collectors describe, and against what a
// node serves when it has just started and after it was used.
func TestMetricsCatalogue(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	catalogued, known := documented(t), described(t)
	for name, f := range catalogued {
		labels, ok := known[name]
		switch {
		case !ok:
			t.Errorf("%s is documented, and no node serves it", name)
		case labels != f.labels:
			t.Errorf("%s has the labels %q; documented are %q", name, labels, f.labels)
		}
		if strings.HasSuffix(name, "_total") != (f.kind == "counter") {
			t.Errorf("%s cannot be a %s", name, f.kind)
		}
	}
	for name := range known {
		if _, ok := catalogued[name]; !ok && strings.HasPrefix(name, "hermod_") {
			t.Errorf("%s is not documented", name)
		}
	}

	p := start(t)
	fresh := scraped(t, p)
	for name, f := range catalogued {
		if _, served := fresh[name]; served != f.always {
			t.Errorf("%s: documented as served from the start: %v; it is: %v", name, f.always, served)
		}
	}
	use(t, p)
	for name, got := range scraped(t, p) {
		f, ok := catalogued[name]
		if ok && (got.kind != f.kind || got.labels != f.labels) {
			t.Errorf("%s is a %s with labels %q; documented is a %s with %q", name, got.kind, got.labels, f.kind, f.labels)
		}
	}
}

// use makes a little of everything happen that can be made to happen.
func use(t *testing.T, p *process) {
	t.Helper()
	p.join(t, "alice")
	p.send(t, "alice", "hi")
	if _, err := p.im.JoinRoom(as(t, "alice"), &imv1.JoinRoomRequest{RoomId: "r", UserId: "bob"}); err == nil {
		t.Error("a foreign user_id was accepted")
	}
	stream := p.open(t, "alice", "capabilities", "resume", "session-id", "none", "resume-ticket", "none")
	if err := stream.Send(&imv1.MessageRequest{RoomId: "r", Type: -1}); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetMetadata()["reason"] != "INVALID_TYPE" {
		t.Fatalf("got %v, %v", m, err)
	}
	if _, err := p.gateway.PushToClient(as(t, ""), &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice"}); err != nil {
		t.Fatal(err)
	}
}

// TestTheCatalogueNamesWhatOthersServe: families of the Go runtime and the process.
func TestTheCatalogueNamesWhatOthersServe(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	text, err := os.ReadFile(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t)
	_, body := p.get(t, "/metrics")
	for line := range strings.Lines(body) {
		m := typeLine.FindStringSubmatch(strings.TrimSpace(line))
		if len(m) == 0 || strings.HasPrefix(m[1], "hermod_") {
			continue
		}
		prefix, _, _ := strings.Cut(m[1], "_")
		if !bytes.Contains(text, []byte("`"+prefix+"_")) {
			t.Errorf("%s is of a group that is not documented", m[1])
		}
	}
}
