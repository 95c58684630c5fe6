package hermodctl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretive is a configuration with everything that must not be shown.
const secretive = `session:
  heartbeat: 20s
data: {dir: "${HERMODCTL_TEST_DIR}"}
auth:
  service_token: hush-0123456789abcdef
  jwt:
    keys:
      - {id: "1", algorithm: HS256, secret: hush-0123456789abcdef0123456789abcdef}
`

// inFolder runs the test where its files have short names.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range []string{"LOG_LEVEL", "LOG_FORMAT", "IM_ADDR", "GATEWAY_ADDR", "OPS_ADDR", "DATA_DIR", "CONF"} {
		t.Setenv("HERMOD_"+name, "")
	}
	t.Setenv("HERMODCTL_TEST_DIR", "/var/lib/hermod")
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConfigPrintTakesEmptyFlags: one that is given to say nothing wins as well, as it does for a node.
func TestConfigPrintTakesEmptyFlags(t *testing.T) {
	inFolder(t, map[string]string{"node.yaml": "server: {quic: {addr: '127.0.0.1:8443'}}\n"})
	for flag, want := range map[string]string{"": "addr: 127.0.0.1:8443 # node.yaml line 1", "--quic=": `addr: "" # flag -quic`} {
		args := []string{"config", "print", "node.yaml"}
		if flag != "" {
			args = append(args, flag)
		}
		if got := execute(t, "", args...); got.code != exitOK || !strings.Contains(got.out, want) {
			t.Errorf("%q: want %q in %+v", flag, want, got)
		}
	}
	if got := execute(t, "", "config", "check", "--im="); got.code != exitUsage || !strings.Contains(got.out, "server.im.addr") {
		t.Errorf("a listener that has to have an address: %+v", got)
	}
}

// TestConfigPrint shows values, origins and no secrets. The parts of the output that this test is
// about are in testdata, since a new key must not change it.
func TestConfigPrint(t *testing.T) {
	golden, err := filepath.Abs("testdata/print.yaml")
	if err != nil {
		t.Fatal(err)
	}
	inFolder(t, map[string]string{"node.yaml": secretive, "over.yaml": "log: {level: warn}\n"})
	t.Setenv("HERMOD_CONF", "node.yaml")
	got := execute(t, "", "config", "print", "--im", "127.0.0.1:9", "over.yaml")
	if got.code != exitOK || got.err != "" || strings.Contains(got.out, "hush") {
		t.Fatalf("%+v", got)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	rest := got.out
	for line := range strings.Lines(string(want)) { // in this order
		_, after, found := strings.Cut("\n"+rest, "\n"+line)
		if !found {
			t.Fatalf("%q is not there, or not at its place, in\n%s", line, got.out)
		}
		rest = after
	}

	got = execute(t, "", "config", "print", "--json", "over.yaml")
	var values []struct {
		Key, Source string
		Value       any
		Live        bool
	}
	if err := json.Unmarshal([]byte(got.out), &values); err != nil || strings.Contains(got.out, "hush") {
		t.Fatalf("%v: %s", err, got.out)
	}
	found := map[string]bool{}
	for _, v := range values {
		switch v.Key {
		case "log.level":
			found[v.Key] = v.Value == "warn" && v.Source == "over.yaml line 1" && v.Live
		case "server.ops.pprof":
			found[v.Key] = v.Value == false && !v.Live
		case "session.send_burst":
			found[v.Key] = v.Value == 2000.0 && v.Source == "built-in default"
		case "auth.jwt.keys[0].secret":
			found[v.Key] = v.Value == "(hidden)" && v.Source == "node.yaml line 8"
		}
	}
	for _, key := range []string{"log.level", "server.ops.pprof", "session.send_burst", "auth.jwt.keys[0].secret"} {
		if !found[key] {
			t.Errorf("%s is not as it should be in\n%s", key, got.out)
		}
	}
}

// TestWhatIsPrintedLoads, once the secrets are put in.
func TestWhatIsPrintedLoads(t *testing.T) {
	inFolder(t, map[string]string{"node.yaml": secretive})
	printed := execute(t, "", "config", "print", "node.yaml").out
	whole := strings.ReplaceAll(printed, "(hidden)", "0123456789abcdef0123456789abcdef")
	whole = strings.ReplaceAll(whole, `dsn: ""`, `dsn: "yes"`) // texts that look like something else stay texts
	if err := os.WriteFile("again.yaml", []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := execute(t, "", "config", "check", "again.yaml"); got.code != exitOK || got.out != "ok\n" {
		t.Errorf("%+v\n%s", got, whole)
	}
}

func TestConfigCheck(t *testing.T) {
	inFolder(t, map[string]string{"bad.yaml": "session: {que_bytes: 1}\nauth: {service_token: hu sh}\n", "good.yaml": "log: {level: warn}\n"})
	for _, test := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"good.yaml"}, exitOK, []string{"ok\n"}},
		{nil, exitOK, []string{"ok\n"}},
		{[]string{"good.yaml", "bad.yaml"}, exitUsage, []string{"2 wrong", "did you mean queue_bytes?", "[bad.yaml line 1]", "auth.service_token"}},
		{[]string{"--json", "bad.yaml"}, exitUsage, []string{`"key": "session.que_bytes"`, `"source": "bad.yaml line 1"`}},
		{[]string{"--json", "good.yaml"}, exitOK, []string{"[]\n"}},
		{[]string{"absent.yaml"}, exitUsage, []string{"no such file"}},
		{[]string{"etcd://x:hu%20sh@localhost"}, exitUsage, []string{"names no key", "[etcd://localhost]"}},
		{[]string{"--im", "nonsense"}, exitUsage, []string{"[flag -im]"}},
		{[]string{"consul://127.0.0.1:1/k?token=hu%20sh"}, exitFailed, []string{"configuration at consul://127.0.0.1:1/k cannot be reached"}},
	} {
		got := execute(t, "", append([]string{"config", "check"}, test.args...)...)
		if got.code != test.code {
			t.Errorf("%q: exit %d, want %d", test.args, got.code, test.code)
		}
		for _, want := range test.says {
			if !strings.Contains(got.out+got.err, want) {
				t.Errorf("%q: %q is not in\n%s%s", test.args, want, got.out, got.err)
			}
		}
		if all := got.out + got.err; strings.Contains(all, "hu sh") || strings.Contains(all, "hu%20sh") {
			t.Errorf("%q: a secret is shown:\n%s", test.args, all)
		}
	}
	if got := execute(t, "", "config", "chekc"); got.code != exitUsage || !strings.Contains(got.err, "check and print are allowed") {
		t.Errorf("%+v", got)
	}
}
