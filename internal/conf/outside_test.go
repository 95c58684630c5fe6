package conf

import (
	"slices"
	"strings"
	"testing"
)

func TestPluginsOutside(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `plugins:
  - name: a
    process:
      command: [node, "a b.js"]
      dir: /tmp
      env: {TOKEN: hush, LEVEL: 3, DEBUG: true, NONE: }
      memory_bytes: 64MiB
  - name: b
    service: {targets: ["127.0.0.1:9000", "127.0.0.1:9001"], tls: {enabled: true, server_name: b}}
`, nil)
	a, b := c.GetPlugins()[0], c.GetPlugins()[1]
	if !a.IsProcess() || a.IsService() || !slices.Equal(a.GetProcess().GetCommand(), []string{"node", "a b.js"}) || a.GetProcess().GetMemoryBytes() != 64<<20 {
		t.Errorf("got %v", a)
	}
	if got := a.GetProcess().Environment(); !slices.Equal(got, []string{"DEBUG=true", "LEVEL=3", "NONE=", "TOKEN=hush"}) {
		t.Errorf("got %q", got)
	}
	addrs, names := b.GetService().Split()
	if b.IsProcess() || !b.IsService() || len(addrs) != 2 || len(names) != 0 || b.GetService().GetTls().GetServerName() != "b" {
		t.Errorf("got %v", b)
	}
	shown, err := (&Merged{Config: c}).YAML()
	if err != nil || strings.Contains(string(shown), "hush") {
		t.Errorf("shown as %s, %v", shown, err)
	}
}

func TestWrongPluginsOutside(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"{process: {command: [a]}, service: {targets: ['h:1']}}": "plugins[0].service: a plugin has process or service, not both",
		"{process: {dir: /tmp}}":                                 "plugins[0].process.command: is empty",
		"{process: {command: ['']}}":                             "plugins[0].process.command: is empty",
		"{process: {command: [a], env: {'X=Y': 1}}}":             `plugins[0].process.env: "X=Y" is no name`,
		"{process: {command: [a], env: {X: [1]}}}":               "plugins[0].process.env.X: must be a text",
		"{process: {command: [a], memory: 3}}":                   "plugins[0].process.memory: no such key",
		"{service: {targets: ['x']}}":                            "plugins[0].service.targets[0]:",
		"{service: {targets: ['discovery:///x']}}":               "plugins[0].service.targets[0]:",
		"{service: {tls: {enabled: true}}}":                      "plugins[0].service.targets: is empty",
	} {
		l := loader{env: func(string) (string, bool) { return "", false }}
		_, err := l.load([]Document{defaults(), {Name: "test", Text: []byte("plugins: [" + strings.Replace(text, "{", "{name: a, ", 1) + "]")}}, nil)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %s", text, err, says)
		}
	}
}
