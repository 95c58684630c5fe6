package hermod

import (
	"bytes"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/conf"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	override := func(name, key, value string) conf.Override {
		return conf.Override{Path: key, Value: value, From: "flag -" + name}
	}
	tests := []struct {
		name string
		args []string
		want options
	}{
		{"none", nil, options{}},
		{"version", []string{"-version"}, options{version: true}},
		{"files in their order", []string{"-conf", "a", "--conf=b"}, options{conf: []string{"a", "b"}}},
		{"addresses", []string{"-im", ":1", "-grpc=:2", "--ops", ":3", "-http", ":4"}, options{overrides: []conf.Override{
			override("im", "server.im.addr", ":1"), override("grpc", "server.gateway.addr", ":2"), override("ops", "server.ops.addr", ":3"),
			override("http", "server.http.addr", ":4"),
		}}},
		{"the last one wins", []string{"-im", ":1", "-im", ":2"}, options{overrides: []conf.Override{
			override("im", "server.im.addr", ":1"), override("im", "server.im.addr", ":2"),
		}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseFlags(test.args, &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			if got.version != test.want.version || !slices.Equal(got.conf, test.want.conf) || !slices.Equal(got.overrides, test.want.overrides) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestFlagsThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		said string
	}{
		"unknown flag":    {[]string{"-port", "1"}, "-port"},
		"missing value":   {[]string{"-im"}, "-im"},
		"stray argument":  {[]string{"start"}, `"start"`},
		"stray arguments": {[]string{"-im", ":1", "a", "b"}, `"a b"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			_, err := parseFlags(test.args, &out)
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "hermod -h") {
				t.Errorf("error %v", err)
			}
			if said := out.String() + err.Error(); !strings.Contains(said, test.said) {
				t.Errorf("said %q, which does not name %s", said, test.said)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"-h", "--help"} {
		var out bytes.Buffer
		if _, err := parseFlags([]string{arg}, &out); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v", arg, err)
		}
		for _, name := range []string{"-conf", "-version", "-im host:port", "-grpc host:port", "-http host:port", "-ops host:port", "configs/hermod.yaml"} {
			if !strings.Contains(out.String(), name) {
				t.Errorf("%s does not tell of %s:\n%s", arg, name, &out)
			}
		}
	}
}

// TestAddressFlagsNameKeys: a flag that sets no key would be refused only when somebody uses it.
func TestAddressFlagsNameKeys(t *testing.T) {
	t.Parallel()
	for _, f := range conf.Flags {
		const addr = "127.0.0.1:4711"
		o, err := parseFlags([]string{"-" + f.Name, addr}, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := conf.Load(nil, o.overrides...)
		if err != nil {
			t.Fatalf("-%s: %v", f.Name, err)
		}
		if got := c.String(); !strings.Contains(got, addr) {
			t.Errorf("-%s set nothing: %s", f.Name, got)
		}
	}
}
