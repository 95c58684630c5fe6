package archtest

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestDirections(t *testing.T) {
	t.Parallel()
	edges := readImports(t, filepath.Join("..", ".."))
	if len(edges) < 100 {
		t.Fatalf("found %d imports in the whole module: the search is broken", len(edges))
	}
	for _, e := range edges {
		if fault := judge(e); fault != "" {
			t.Error(fault)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const own = module
	tests := []struct {
		file, imported string
		reason         string // part of it; "": allowed
	}{
		{"internal/biz/room.go", "context", ""},
		{"internal/biz/room.go", own + "plugin", ""},
		{"internal/biz/room.go", "github.com/google/uuid", ""},
		{"internal/biz/room.go", own + "api/im/v1", "arrows point to them"},
		{"internal/biz/room.go", own + "internal/conf", "arrows point to them"},
		{"internal/biz/room.go", own + "internal/realtime/frame", "arrows point to them"},
		{"internal/biz/room.go", "github.com/go-kratos/kratos/v2/errors", "framework ends at the edges"},
		{"internal/biz/room.go", "github.com/google/wire", "composition"},
		{"internal/biz/room.go", "google.golang.org/grpc/codes", "not of a wire"},
		{"internal/biz/room.go", "gorm.io/gorm", "stay in internal/data"},
		{"internal/biz/room_test.go", own + "internal/data", "arrows point to them"},

		{"internal/data/room.go", "gorm.io/gorm", ""},
		{"internal/data/room.go", own + "internal/biz", ""},
		{"internal/data/migrations/embed.go", own + "internal/data", ""},
		{"internal/data/room.go", own + "internal/service", "stores for the rules"},
		{"app/hermod/wire.go", "gorm.io/gorm", "stay in internal/data"},

		{"internal/service/im.go", own + "internal/biz", ""},
		{"internal/service/im.go", own + "api/im/v1", ""},
		{"internal/service/im.go", own + "internal/data", "holds none itself"},
		{"internal/protocol/im/im.go", own + "internal/realtime/session", ""},
		{"internal/protocol/im/im.go", own + "internal/service", "holds none itself"},
		{"internal/server/grpc.go", own + "internal/protocol/im", ""},
		{"internal/server/grpc.go", own + "internal/auth", ""},
		{"internal/server/grpc.go", own + "internal/data", "reaches the store through neither"},
		{"internal/auth/token.go", own + "internal/server", "how his bytes arrive"},

		{"internal/realtime/node/node.go", own + "internal/realtime/frame", ""},
		{"internal/realtime/node/node.go", own + "internal/realtime/broker", ""},
		{"internal/realtime/hub/hub.go", own + "internal/realtime/session", ""},
		{"internal/realtime/hub/hub.go", own + "internal/realtime/broker", "arrows run node, hub"},
		{"internal/realtime/session/session.go", own + "internal/realtime/hub", "who else is connected"},
		{"internal/realtime/session/session.go", own + "internal/biz", "who else is connected"},
		{"internal/realtime/transport/grpcstream/conn.go", own + "internal/realtime/transport", ""},
		{"internal/realtime/transport/grpcstream/conn.go", own + "internal/realtime/session", "does not know whose"},
		{"internal/realtime/transport/grpcstream/conn.go", own + "api/im/v1", "does not know whose"},
		{"internal/realtime/broker/memory.go", own + "internal/realtime/frame", ""},
		{"internal/realtime/presence/presence.go", own + "internal/realtime/session", "a fact beside the sessions"},
		{"internal/realtime/doc.go", own + "internal/realtime/node", "knows no other part"},
		{"internal/realtime/hub/hub.go", "github.com/go-kratos/kratos/v2/log", "framework ends at the edges"},

		{"plugin/plugin.go", "context", ""},
		{"plugin/plugin.go", "github.com/google/uuid", "drag"},
		{"plugin/plugin.go", own + "api/im/v1", "drag"},
		{"sdk/client/client.go", own + "api/im/v1", ""},
		{"sdk/client/client.go", "google.golang.org/grpc", ""},
		{"sdk/client/client.go", own + "internal/realtime/frame", "by its wire alone"},
		{"sdk/client/client.go", "gorm.io/gorm", "stay in internal/data"},

		{"app/hermod/wire.go", own + "internal/data", ""},
		{"app/hermod/wire.go", own + "app/hermodctl/bench", "share nothing"},
		{"app/hermodctl/bench.go", own + "app/hermodctl/bench", ""},
		{"app/hermodctl/bench.go", own + "internal/conf", ""},
		{"app/hermodctl/bench/run.go", own + "sdk/client", "by its wire alone"},
		{"test/bench/load.go", own + "app/hermodctl/bench", ""},
		{"test/bench/load.go", own + "internal/conf", "what its users load"},
		{"test/bench/store/node_test.go", own + "internal/data", ""},
		{"test/bench/store/node_test.go", own + "internal/server", "measures the store by itself"},
		{"test/e2e/load.go", own + "app/hermodctl/bench", "sees what a user sees"},
		{"app/hermod/cmd/hermod/main.go", own + "app/hermod", ""},
		{"app/hermod/cmd/hermod/main.go", own + "internal/server", "only calls its app"},
		{"app/hermodctl/chat.go", own + "app/hermod", "share nothing"},
		{"test/e2e/kill_test.go", own + "internal/data", "what a user sees"},
		{"test/registries/server.go", own + "api/im/v1", "not ours"},
		{"sdk/discovery/nacos_test.go", own + "test/registries", ""},
		{"sdk/discovery/nacos.go", own + "test/registries", "by its wire alone"},
		{"internal/registry/nacos_test.go", own + "test/registries", ""},
		{"app/hermod/run_test.go", own + "test/registries", ""},
		{"internal/server/tls_test.go", own + "test/authority", ""},
		{"internal/server/tls.go", own + "test/authority", "reaches the store through neither"},
		{"app/hermod/run_test.go", own + "test/e2e", "put the parts together"},

		{"internal/conf/load.go", own + "configs", ""},
		{"internal/conf/load.go", own + "internal/biz", "none of them is known"},

		{"internal/mail/mail.go", "context", "in no layer"},
		{"internal/service/im.go", own + "internal/mail", "holds none itself"},
		{"internal/service/im.go", "C", "without a C compiler"},
	}
	for _, test := range tests {
		fault := judge(edge{file: test.file, imported: test.imported})
		switch {
		case test.reason == "" && fault != "":
			t.Errorf("refused: %s", fault)
		case test.reason != "" && fault == "":
			t.Errorf("%s may import %s", test.file, test.imported)
		case !strings.Contains(fault, test.reason):
			t.Errorf("%s imports %s: reason %q, want %q in it", test.file, test.imported, fault, test.reason)
		}
	}
}

func TestJudgeExternalTest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file, imported string
		want           bool
	}{
		{"internal/biz/room_test.go", module + "internal/data", true},
		{"internal/server/grpc_test.go", module + "sdk/client", true},
		{"internal/server/grpc_test.go", module + "app/hermod", false},
		{"internal/biz/room_test.go", "gorm.io/gorm", false},
		{"sdk/client/client_test.go", module + "internal/server", false},
		{"plugin/plugin_test.go", "pgregory.net/rapid", false},
	}
	for _, test := range tests {
		fault := judge(edge{file: test.file, external: true, imported: test.imported})
		if got := fault == ""; got != test.want {
			t.Errorf("%s may import %s: %v, want %v (%s)", test.file, test.imported, got, test.want, fault)
		}
	}
}

// A rule that names a folder by a slip of the pen would allow or forbid nothing.
func TestRulesNameLayers(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"internal": true}
	for _, l := range layers {
		if known[l.folder] {
			t.Errorf("%s is listed twice", l.folder)
		}
		known[l.folder] = true
		if l.why == "" {
			t.Errorf("%s has no reason", l.folder)
		}
	}
	for _, l := range layers {
		for _, may := range l.may {
			if !known[may] {
				t.Errorf("%s may import %s, which is no layer", l.folder, may)
			}
		}
	}
	for _, b := range bans {
		for _, folder := range append(b.in, b.except...) {
			if !known[folder] {
				t.Errorf("%v are banned or allowed in %s, which is no layer", b.packages, folder)
			}
		}
	}
}
