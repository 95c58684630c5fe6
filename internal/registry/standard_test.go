package registry_test

import (
	"encoding/json"
	"testing"

	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
	"github.com/game-im/hermod/test/registries"
)

// standard returns one of the plugins that are shipped.
func standard(t *testing.T, name string) plugin.Plugin {
	t.Helper()
	for _, p := range registry.Standard() {
		if p.Name() == name {
			return p
		}
	}
	t.Fatalf("%s is not shipped", name)
	return nil
}

// TestStandard: each registry that is shipped is a plugin, and keeps what is asked of any.
func TestStandard(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, _ kind, server *registries.Server) {
		c := settings(name, server)
		plugintest.Plugin(t, func() plugin.Plugin { return standard(t, name) })
		p := standard(t, name)
		keys, err := json.Marshal(map[string]string{"addrs": c.GetAddrs(), "namespace": c.GetNamespace(), "token": c.GetToken()})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(keys, p.(plugin.Configurable).Config()); err != nil {
			t.Fatal(err)
		}
		plugintest.Registry(t, func(t *testing.T) plugin.RegistryConn {
			conn, err := p.(plugin.Registry).OpenRegistry(plugin.RegistryUse{Dir: t.TempDir(), TTL: ttl})
			if err != nil {
				t.Fatal(err)
			}
			return conn
		})
	})
}
