package conf

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// board is a source whose text a test writes.
type board struct {
	mu      sync.Mutex
	text    string
	err     error
	changed func()
}

func (*board) String() string { return "board" }

func (b *board) Read(context.Context) ([]Document, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []Document{{Name: "board", Text: []byte(b.text), Lines: true}}, b.err
}

func (b *board) Watch(ctx context.Context, changed func()) {
	b.mu.Lock()
	b.changed = changed
	b.mu.Unlock()
	<-ctx.Done()
}

// write replaces the text, and tells of it as a watch would.
func (b *board) write(text string, err error) {
	b.mu.Lock()
	b.text, b.err = text, err
	b.mu.Unlock()
	b.changed()
}

// lives is a Live that runs in a bubble.
type lives struct {
	*Live
	board   *board
	log     *bytes.Buffer // read it when everything is at rest
	applied []*Config
}

func inBubble(t *testing.T, text string, test func(t *testing.T, l *lives)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &board{text: text}
		set := Set{Sources: []Source{b}, Overrides: []Override{{Path: "server.ops.addr", Value: "127.0.0.1:1", From: "flag -ops"}}}
		m, err := set.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		log := &bytes.Buffer{}
		l := &lives{board: b, log: log, Live: NewLive(set, m, slog.New(slog.NewTextHandler(log, nil)))}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- l.Run(ctx, func(c *Config) { l.applied = append(l.applied, c) }, func(name string) bool { return name == "swaps" })
		}()
		synctest.Wait()
		test(t, l)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// settles waits until a change must have been seen, and returns what was logged since the last time.
func (l *lives) settles() string {
	time.Sleep(2 * mostQuiet)
	synctest.Wait()
	defer l.log.Reset()
	return l.log.String()
}

// metric returns the sum of a family's series, or of those with a label.
func (l *lives) metric(t *testing.T, name, label string) (sum float64) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	for _, c := range l.Collectors() {
		if err := r.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func (l *lives) counted(t *testing.T, result string) float64 {
	t.Helper()
	return l.metric(t, "hermod_config_reloads_total", result)
}

func says(t *testing.T, log string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if strings.Count(log, want) != 1 {
			t.Errorf("%q is not there once in\n%s", want, log)
		}
	}
}

func TestLiveKeysTakeEffectAndOthersWait(t *testing.T) {
	t.Parallel()
	inBubble(t, "session: {heartbeat: 10s}", func(t *testing.T, l *lives) {
		l.board.write("session: {heartbeat: 20s}\ndata: {dir: other}\nserver: {ops: {addr: '127.0.0.1:2'}}", nil)
		log := l.settles()
		says(t, log, "key=session.heartbeat old=10s new=20s", `waits for a restart" key=data.dir old=./data new=other`)
		if len(l.applied) != 1 || l.applied[0].GetSession().GetHeartbeat().AsDuration() != 20*time.Second {
			t.Errorf("applied %v", l.applied)
		} else if c := l.applied[0]; c.GetData().GetDir() != "./data" || c.GetServer().GetOps().GetAddr() != "127.0.0.1:1" {
			t.Errorf("applied what waits, or what a flag overrides: %v", c)
		}
		if got := l.Waiting(); len(got) != 1 || got[0] != "data.dir" {
			t.Errorf("waiting: %q", got)
		}
		if l.counted(t, "waiting") != 1 || l.metric(t, "hermod_config_waiting_keys", "") != 1 {
			t.Error("not counted as waiting")
		}

		l.board.write("session: {heartbeat: 30s}\ndata: {dir: other}", nil)
		if log := l.settles(); strings.Contains(log, "data.dir") {
			t.Errorf("told again of what waits:\n%s", log)
		}
		l.board.write("session: {heartbeat: 30s}\ndata: {dir: another}", nil)
		says(t, l.settles(), "key=data.dir old=./data new=another")
		l.board.write("session: {heartbeat: 30s}", nil)
		l.settles()
		if got := l.Waiting(); len(got) != 0 || l.metric(t, "hermod_config_waiting_keys", "") != 0 {
			t.Errorf("still waiting: %q", got)
		}
		if len(l.applied) != 2 {
			t.Errorf("applied %d times, want 2", len(l.applied))
		}
	})
}

func TestABrokenVersionIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, "session: {heartbeat: 10s}", func(t *testing.T, l *lives) {
		l.board.write("session: {heartbeat: 20s, send_burst: 0}\nnonsense: 1", nil)
		says(t, l.settles(), "the running configuration stays", "session.send_burst: 0 is too small", "nonsense: no such key")
		time.Sleep(3 * pollEvery)
		if log := l.settles(); log != "" {
			t.Errorf("told again:\n%s", log)
		}
		l.Reload() // who asks is answered
		says(t, l.settles(), "nonsense: no such key")
		if len(l.applied) > 0 || l.counted(t, "refused") != 2 {
			t.Errorf("applied %v, %g refused", l.applied, l.counted(t, "refused"))
		}
		l.board.write("session: {heartbeat: 10s}", nil)
		says(t, l.settles(), "it is the one that the node runs with")
		l.board.write("session: {heartbeat: 20s}", nil)
		says(t, l.settles(), "old=10s new=20s")
	})
}

// TestAFileThatComesLater: nothing tells of a file that a key names, and whoever has put it there should not have to touch
// the configuration as well.
func TestAFileThatComesLater(t *testing.T) {
	t.Parallel()
	inBubble(t, "session: {heartbeat: 10s}", func(t *testing.T, l *lives) {
		dir := t.TempDir()
		first, second := filepath.Join(dir, "first.pem"), filepath.Join(dir, "second.pem")
		l.board.write("session: {heartbeat: 20s}\nupstream: {tls: {cert_file: "+first+", key_file: "+second+"}}", nil)
		says(t, l.settles(), "upstream.tls.cert_file: "+first+": cannot be read", "upstream.tls.key_file: "+second+": cannot be read")
		time.Sleep(3 * pollEvery)
		if log := l.settles(); log != "" {
			t.Errorf("told again:\n%s", log)
		}
		appears := func(file string) string {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(pollEvery)
			return l.settles()
		}
		log := appears(first)
		says(t, log, "upstream.tls.key_file: "+second+": cannot be read")
		if strings.Contains(log, first) || len(l.applied) > 0 || l.counted(t, "refused") != 2 {
			t.Errorf("applied %v, %g refused, with one of two files there:\n%s", l.applied, l.counted(t, "refused"), log)
		}
		says(t, appears(second), "key=session.heartbeat old=10s new=20s")
		if len(l.applied) != 1 || l.counted(t, "refused") != 2 {
			t.Errorf("applied %v, %g refused", l.applied, l.counted(t, "refused"))
		}
		time.Sleep(3 * pollEvery)
		if log := l.settles(); log != "" {
			t.Errorf("what was taken is read again:\n%s", log)
		}
	})
}

// TestAMixtureThatIsWrongIsRefused: two values may be right together, and wrong while one of them
// waits for a restart.
func TestAMixtureThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	before := mustLoad(t, "server: {stop: {drain: 1s, timeout: 2s}}", nil)
	after := mustLoad(t, "server: {stop: {drain: 5s, timeout: 6s}}", nil)
	mixed := mustLoad(t, "server: {stop: {drain: 1s, timeout: 2s}}", nil)
	mixed.Server.Stop.Drain = after.Server.Stop.Drain
	if err := newProblems(before, mixed); err == nil || !strings.Contains(err.Error(), "server.stop.timeout") {
		t.Errorf("error %v", err)
	}
	if err := newProblems(mixed, mixed); err != nil {
		t.Errorf("what was wrong before is refused: %v", err)
	}
}

func TestASourceThatGoesAway(t *testing.T) {
	t.Parallel()
	inBubble(t, "session: {heartbeat: 10s}", func(t *testing.T, l *lives) {
		l.board.write("", errors.New("connection refused"))
		time.Sleep(10 * pollEvery)
		says(t, l.settles(), "a source does not answer")
		if l.counted(t, "unreachable") < 10 {
			t.Errorf("tried %g times", l.counted(t, "unreachable"))
		}
		l.board.mu.Lock() // nothing tells of it: a watch may miss what happens meanwhile
		l.board.text, l.board.err = "session: {heartbeat: 20s}", nil
		l.board.mu.Unlock()
		time.Sleep(pollEvery)
		says(t, l.settles(), "answers again", "old=10s new=20s")
	})
}

// TestChangesAreGathered: a burst of changes is one version, and one that never ends is read
// nevertheless.
func TestChangesAreGathered(t *testing.T) {
	t.Parallel()
	inBubble(t, "", func(t *testing.T, l *lives) {
		for _, text := range []string{"sess", "session: {heart", "session: {heartbeat: 20s}"} {
			l.board.write(text, nil)
			time.Sleep(quiet / 2)
		}
		if log := l.settles(); strings.Contains(log, "wrong") || !strings.Contains(log, "new=20s") {
			t.Errorf("half a change was read:\n%s", log)
		}
		for range 2 * mostQuiet / quiet * 2 {
			l.board.write("session: {heartbeat: 40s}", nil)
			time.Sleep(quiet / 2)
		}
		synctest.Wait()
		says(t, l.log.String(), "new=40s")
	})
}

// TestTheLevelOfTheLogDoesNotHideItsChange in either direction.
func TestTheLevelOfTheLogDoesNotHideItsChange(t *testing.T) {
	t.Parallel()
	for _, levels := range [][2]string{{"info", "error"}, {"error", "info"}} {
		var out bytes.Buffer
		level := &slog.LevelVar{}
		set := func(text string) {
			if err := level.UnmarshalText([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		set(levels[0])
		l := NewLive(Set{}, &Merged{Config: &Config{}}, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level})))
		l.apply(&Config{}, []Change{{Path: "log.level", Old: levels[0], New: levels[1], Live: true}}, false, func(*Config) { set(levels[1]) })
		says(t, out.String(), "key=log.level old="+levels[0]+" new="+levels[1])
	}
}

func TestLoadPatiently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{err: errors.New("connection refused")}
		begun, tries := time.Now(), 0
		_, err := Set{Sources: []Source{b}}.LoadPatiently(t.Context(), func(error, time.Duration) { tries++ })
		if err == nil || err.Error() != "configuration at board cannot be reached: connection refused; tried 5 times in 15s" || tries != 4 {
			t.Errorf("%v after %d tries", err, tries)
		}
		if took := time.Since(begun); took != 15*time.Second {
			t.Errorf("took %s", took)
		}
		time.AfterFunc(time.Second/2, func() { b.mu.Lock(); b.err = nil; b.mu.Unlock() })
		if _, err := (Set{Sources: []Source{b}}).LoadPatiently(t.Context(), nil); err != nil {
			t.Errorf("a source that comes up later: %v", err)
		}
		b.text = "nonsense: 1"
		var problems Problems
		begun = time.Now()
		if _, err := (Set{Sources: []Source{b}}).LoadPatiently(t.Context(), nil); !errors.As(err, &problems) || time.Since(begun) > 0 {
			t.Errorf("what is wrong is tried again: %v", err)
		}
	})
}
