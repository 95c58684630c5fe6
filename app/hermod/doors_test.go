package hermod

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

// TestStandardIsMadeOfPlugins: what is shipped has names and keys as any plugin has, and each list is one of
// its own.
func TestStandardIsMadeOfPlugins(t *testing.T) {
	t.Parallel()
	for i := range Standard() {
		plugintest.Plugin(t, func() plugin.Plugin { return Standard()[i] })
	}
}

// TestOnlyWhatIsLinkedIsThere: a node has no plugins but those that it is given, and says which those are. It
// has made nothing yet when it says so.
func TestOnlyWhatIsLinkedIsThere(t *testing.T) {
	dir := t.TempDir() + "/data"
	t.Setenv("HERMOD_DATA_DIR", dir)
	for _, test := range []struct {
		plugins []plugin.Plugin
		says    []string
	}{
		{nil, []string{
			`auth.mode: "dev" is not linked into this node, which has no authenticators at all; those that are shipped are in hermod.Standard()`,
			`data.blobs.store: "dir" is not linked into this node, which has no stores of recordings at all`,
		}},
		{[]plugin.Plugin{&gatekeeper{}}, []string{`auth.mode: "dev" is not linked into this node; one of gatekeeper`}},
		{append(Standard(), &numberer{}, Standard()[0]), []string{`auth.mode: two authenticators are named "dev"; link one of them`}},
	} {
		err := Run(t.Context(), loopback, io.Discard, io.Discard, test.plugins...)
		var problems conf.Problems
		if !errors.As(err, &problems) {
			t.Fatalf("got %v", err)
		}
		for _, says := range test.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want %s", err, says)
			}
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was made all the same")
	}
}

// gatekeeper lets in who knows the word, and hears of rooms.
type gatekeeper struct {
	numberer
	keys struct {
		Word string `json:"word"`
	}
	steps []string
}

func (*gatekeeper) Name() string { return "gatekeeper" }

func (g *gatekeeper) Config() any { return &g.keys }

func (g *gatekeeper) Start(ctx context.Context) error {
	g.steps = append(g.steps, "start in "+plugin.DataDir(ctx))
	return nil
}

func (g *gatekeeper) Stop(context.Context) error {
	g.steps = append(g.steps, "stop")
	return nil
}

func (g *gatekeeper) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	if c.Token != g.keys.Word {
		return plugin.Identity{}, plugin.Unauthenticated("that is not the word")
	}
	return plugin.Identity{UserID: c.UserID}, nil
}

// TestAPluginThatIsChosenTwice: what a key chooses, and the list of plugins names as well, has its keys from
// there, and takes its steps once.
func TestAPluginThatIsChosenTwice(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HERMOD_DATA_DIR", dir)
	g := &gatekeeper{}
	p := startWith(t, []plugin.Plugin{g}, configured(t,
		"auth: {mode: gatekeeper, service_token: sixteen-characters}",
		"plugins: [{name: gatekeeper, config: {word: sesame}}]")...)
	_, err := p.im.JoinRoom(as(t, "alice", "authorization", "Bearer mellon"), &imv1.JoinRoomRequest{RoomId: "r"})
	if status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "that is not the word") {
		t.Errorf("got %v", err)
	}
	if _, err := p.im.JoinRoom(as(t, "alice", "authorization", "Bearer sesame"), &imv1.JoinRoomRequest{RoomId: "r"}); err != nil {
		t.Error(err)
	}
	p.stop()
	if want := []string{"joined alice"}; !slices.Equal(g.heard, want) {
		t.Errorf("heard %q", g.heard)
	}
	if want := []string{"start in " + dir, "stop"}; !slices.Equal(g.steps, want) {
		t.Errorf("steps %q", g.steps)
	}
}

// registrar is a gatekeeper with a registry.
type registrar struct {
	gatekeeper
	shelf shelf
}

func (p *registrar) OpenRegistry(u plugin.RegistryUse) (plugin.RegistryConn, error) {
	return p.shelf.OpenRegistry(u)
}

// TestAPluginThatTwoKeysChoose takes its steps once, though one of them is needed before the other.
func TestAPluginThatTwoKeysChoose(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HERMOD_DATA_DIR", dir)
	who := &registrar{}
	p := startWith(t, []plugin.Plugin{who}, configured(t,
		"auth: {mode: gatekeeper, service_token: sixteen-characters}",
		"registry: {type: gatekeeper}",
		"server: {stop: {notice: 0s, drain: 0s}}",
		"plugins: [{name: gatekeeper, config: {word: sesame}}]")...)
	await(t, "four instances", func() bool { return len(who.shelf.all()) == 4 })
	p.stop()
	if want := []string{"start in " + dir, "stop"}; !slices.Equal(who.steps, want) {
		t.Errorf("steps %q", who.steps)
	}
}
