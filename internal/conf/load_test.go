package conf

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// loadText loads one file's text over the defaults, in an environment of its own.
func loadText(text string, env map[string]string, overrides ...Override) (*Config, error) {
	docs := []Document{defaults()}
	if text != "" {
		docs = append(docs, Document{Name: "user.yaml", Text: []byte(text), Lines: true})
	}
	l := loader{env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	return l.load(docs, overrides)
}

func mustLoad(t *testing.T, text string, env map[string]string, overrides ...Override) *Config {
	t.Helper()
	c, err := loadText(text, env, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lines returns the problems as texts.
func lines(t *testing.T, err error) []string {
	t.Helper()
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("error is %v, not Problems", err)
	}
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.String()
	}
	return texts
}

// TestWords: a list of texts replaces the default as a whole, placeholders and all.
func TestWords(t *testing.T) {
	t.Parallel()
	if got := mustLoad(t, "", nil).GetAudio().GetFormats(); len(got) != 9 || got[0] != "opus" {
		t.Errorf("default: %q", got)
	}
	c := mustLoad(t, "audio:\n  formats:\n    - &own mp3\n    - '${FORMAT:wav}'\n    - '1'\n", map[string]string{"FORMAT": "flac"})
	if got := c.GetAudio().GetFormats(); !slices.Equal(got, []string{"mp3", "flac", "1"}) {
		t.Errorf("got %q", got)
	}
}

func TestDefaultsAreAsPromised(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "", nil)
	for name, pair := range map[string][2]any{
		"im":             {c.GetServer().GetIm().GetAddr(), "127.0.0.1:8083"},
		"gateway":        {c.GetServer().GetGateway().GetAddr(), "127.0.0.1:8082"},
		"ops":            {c.GetServer().GetOps().GetAddr(), "127.0.0.1:8081"},
		"pprof":          {c.GetServer().GetOps().GetPprof(), false},
		"dir":            {c.GetData().GetDir(), "./data"},
		"dsn":            {c.GetData().GetDatabase().GetDsn(), ""},
		"synchronous":    {c.GetData().GetDatabase().GetSynchronous(), "full"},
		"log queue":      {c.GetData().GetLog().GetQueueBytes(), int64(64 << 20)},
		"auto create":    {c.GetRoom().GetAutoCreate(), true},
		"ttl":            {c.GetRoom().GetDefaults().GetMessageTtl().AsDuration(), time.Duration(0)},
		"content":        {c.GetMessage().GetMaxContentBytes(), int64(1 << 20)},
		"resume":         {c.GetSession().GetResumeWindow().AsDuration(), time.Minute},
		"inbox":          {c.GetPush().GetInboxTtl().AsDuration(), 168 * time.Hour},
		"transcriber":    {c.GetAudio().GetTranscriber(), ""},
		"attempts":       {c.GetAudio().GetTranscription().GetAttempts(), int32(5)},
		"mode":           {c.GetAuth().GetMode(), ModeDev},
		"user claim":     {c.GetAuth().GetJwt().GetClaims().GetUser(), "sub"},
		"number of keys": {len(c.GetAuth().GetJwt().GetKeys()), 0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestEveryShippedFileLoads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loadText(string(text), nil); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HERMOD_IM_ADDR": "127.0.0.1:1", "EMPTY": ""}
	file := "server: {im: {addr: '127.0.0.1:2'}}"
	flag := Override{Path: "server.im.addr", Value: "127.0.0.1:3", From: "flag -im"}
	addr := func(c *Config) string { return c.GetServer().GetIm().GetAddr() }
	if got := addr(mustLoad(t, "", env)); got != "127.0.0.1:1" {
		t.Errorf("the environment over the default gives %s", got)
	}
	if got := addr(mustLoad(t, file, env)); got != "127.0.0.1:2" {
		t.Errorf("a file over the environment gives %s", got)
	}
	if got := addr(mustLoad(t, file, env, flag)); got != "127.0.0.1:3" {
		t.Errorf("a flag over a file gives %s", got)
	}
	if c := mustLoad(t, "room: {auto_create: false, defaults: {persistent: false}}\nsession: {presence_grace: 0s}", nil); c.GetRoom().GetAutoCreate() ||
		c.GetRoom().GetDefaults().GetPersistent() || c.GetSession().GetPresenceGrace().AsDuration() != 0 {
		t.Error("false and zero do not override")
	}
	if got := mustLoad(t, "data: {dir: '${EMPTY:a:b}/$${x}-${ABSENT:}'}", env).GetData().GetDir(); got != "a:b/${x}-" {
		t.Errorf("placeholders gave %q", got)
	}
}

func TestAValueThatLostIsNotRead(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "server: {ops: {pprof: true}}", map[string]string{"HERMOD_OPS_PPROF": "perhaps"})
	if !c.GetServer().GetOps().GetPprof() {
		t.Error("pprof is off")
	}
}

func TestFilesAndDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"10-a.yaml": "session: {heartbeat: 10s, send_burst: 10}", "20-b.yml": "session: {heartbeat: 20s}",
		"30-c.json": `{"session": {"send_burst": 30}}`, "README.md": "# not: [yaml", ".hidden.yaml": "nonsense: 1", "empty.yaml": "# nothing\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if s := c.GetSession(); s.GetHeartbeat().AsDuration() != 20*time.Second || s.GetSendBurst() != 30 {
		t.Errorf("the later file does not win: %v", s)
	}
	_, err = Load([]string{filepath.Join(dir, "absent.yaml"), filepath.Join(dir, "README.md"), t.TempDir(), ""})
	got := strings.Join(lines(t, err), "\n")
	for _, want := range []string{"the name of a source is empty", "no such file", "ends in .yaml, .yml or .json", "has no .yaml, .yml or .json file"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestAllProblemsAtOnceSortedByPath(t *testing.T) {
	t.Parallel()
	_, err := loadText("session:\n  queue_bytes: 12\n  que_bytes: 1\nlog: {level: verbose}\nroom: {auto_create: yep}", nil,
		Override{Path: "server.ops.addr", Value: "8081", From: "flag -ops"})
	want := []string{
		`log.level: "verbose" is not known; one of debug, info, warn, error [user.yaml line 4]`,
		`room.auto_create: "yep" is neither true nor false [user.yaml line 5]`,
		`server.ops.addr: "8081" is not an address: write host:port, and an IPv6 host in brackets [flag -ops]`,
		`session.que_bytes: no such key, did you mean queue_bytes?; allowed here: resume_window, heartbeat, queue_bytes, stall_timeout, sends_per_second, send_burst, presence_grace, start_timeout, ephemerals_per_second, ephemeral_burst [user.yaml line 3]`,
		`session.queue_bytes: 12 is too small; at least 64KiB [user.yaml line 2]`,
	}
	if got := lines(t, err); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
