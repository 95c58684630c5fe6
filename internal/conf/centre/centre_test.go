package centre

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/test/registries"
)

const patience = 40 * time.Second

// raceDetector tells whether it is on.
var raceDetector bool

// product is a centre that is filled through a client of its own.
type product struct {
	start   func(testing.TB) *registries.Server
	folders bool
	address func(host, key string) string
	put     func(t *testing.T, s Source, key, text string) error
}

var products = map[string]product{
	"etcd": {
		start: registries.StartEtcd, folders: true,
		address: func(host, key string) string { return "etcd://" + host + "/" + key },
		put: func(t *testing.T, s Source, key, text string) error {
			c, err := s.(*etcd).connect()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err = c.Put(ctx, key, text)
			return err
		},
	},
	"consul": {
		start: registries.StartConsul, folders: true,
		address: func(host, key string) string { return "consul://" + host + "/" + key },
		put: func(_ *testing.T, s Source, key, text string) error {
			c, err := api.NewClient(&api.Config{Address: s.(*consul).hosts[0]})
			if err != nil {
				return err
			}
			_, err = c.KV().Put(&api.KVPair{Key: key, Value: []byte(text)}, nil)
			return err
		},
	},
	"nacos": {
		start:   registries.StartNacos,
		address: func(host, key string) string { return "nacos://" + host + "/" + key },
		put: func(_ *testing.T, s Source, key, text string) error {
			c, err := s.(*nacos).connect()
			if err != nil {
				return err
			}
			p := s.(*nacos).param()
			p.DataId, p.Content = key, text
			if done, err := c.PublishConfig(p); err != nil || !done {
				return fmt.Errorf("published %v: %w", done, err)
			}
			return nil
		},
	},
}

// each runs a test against every product. Nacos' client keeps its connections in a map that it reads and writes
// without a lock: the race detector is right to say so, of any test.
func each(t *testing.T, test func(t *testing.T, p product)) {
	t.Helper()
	for name, p := range products {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceDetector && name == "nacos" {
				t.Skip("nacos-sdk-go has races of its own; make race runs this without the detector")
			}
			test(t, p)
		})
	}
}

func (p product) open(t *testing.T, host, key string) Source {
	t.Helper()
	s, err := Open(p.address(host, key), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func read(t *testing.T, s conf.Source) (texts []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	docs, err := s.Read(ctx)
	for _, d := range docs {
		texts = append(texts, string(d.Text))
	}
	return texts, err
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// fill puts a document and waits until it is read: a server that has just started may not be there yet.
func (p product) fill(t *testing.T, s Source, key, text string) {
	t.Helper()
	var err error
	await(t, "the document is put", func() bool { err = p.put(t, s, key, text); return err == nil })
}

func TestReading(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p product) {
		host := p.start(t).Addr
		s := p.open(t, host, "hermod/prod.yaml")
		var problems conf.Problems
		if _, err := read(t, s); !errors.As(err, &problems) || !strings.Contains(err.Error(), "hermod/prod.yaml") {
			t.Fatalf("nothing is there, and the error is %v", err)
		}
		p.fill(t, s, "hermod/prod.yaml", "log: {level: warn}")
		p.fill(t, s, "hermod/prod.yaml.bak", "nonsense")
		await(t, "the document", func() bool {
			texts, err := read(t, s)
			return err == nil && slices.Equal(texts, []string{"log: {level: warn}"})
		})
		if !p.folders {
			return
		}
		p.fill(t, s, "hermod/2.yaml", "two")
		p.fill(t, s, "hermod/1.yml", "one")
		p.fill(t, s, "hermodX/3.yaml", "another folder's")
		folder := p.open(t, host, "hermod/")
		texts, err := read(t, folder)
		if want := []string{"one", "two", "log: {level: warn}"}; err != nil || !slices.Equal(texts, want) {
			t.Errorf("the folder has %q, %v; want %q", texts, err, want)
		}
		if _, err := read(t, p.open(t, host, "nowhere/")); !errors.As(err, &problems) {
			t.Errorf("an empty folder: %v", err)
		}
	})
}

// TestWatching, across a crash of the centre.
func TestWatching(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p product) {
		server := p.start(t)
		s := p.open(t, server.Addr, "hermod.yaml")
		p.fill(t, s, "hermod.yaml", "one")
		ctx, cancel := context.WithCancel(t.Context())
		changed, done := make(chan struct{}, 1), make(chan struct{})
		go func() {
			defer close(done)
			s.Watch(ctx, func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			})
		}()
		sees := func(text string) {
			t.Helper()
			timeout := time.After(patience)
			for {
				select {
				case <-changed:
				case <-timeout:
					t.Fatalf("nothing tells of %q", text)
				}
				if texts, err := read(t, s); err == nil && texts[0] == text {
					return
				}
			}
		}
		// The watch begins at some moment; what is put before that may go unnoticed.
		for i := 0; len(changed) == 0; i++ {
			p.fill(t, s, "hermod.yaml", fmt.Sprint("probe ", i))
			time.Sleep(20 * time.Millisecond)
		}
		p.fill(t, s, "hermod.yaml", "two")
		sees("two")

		server.Kill()
		if _, err := read(t, s); err == nil {
			t.Error("read from a server that is gone")
		} else if errors.As(err, new(conf.Problems)) {
			t.Errorf("a server that is gone is a problem of the configuration: %v", err)
		}
		server.Start()
		p.fill(t, s, "hermod.yaml", "three")
		sees("three")
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("the watch does not end")
		}
	})
}

// TestACentreThatHangs: reading ends with its context.
func TestACentreThatHangs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p product) {
		server := p.start(t)
		s := p.open(t, server.Addr, "hermod.yaml")
		p.fill(t, s, "hermod.yaml", "one")
		server.Freeze()
		defer server.Thaw()
		await(t, "an attempt that fails", func() bool { // being frozen takes effect a little later
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			_, err := s.Read(ctx)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			return err != nil
		})
	})
}

// TestNobodyThere: a port without a server is unreachable, not wrong, and says which one.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p product) {
		set := conf.Set{Sources: []conf.Source{p.open(t, "127.0.0.1:1", "hermod.yaml")}}
		begun := time.Now()
		_, err := set.Load(t.Context())
		if !errors.As(err, new(*conf.Unreachable)) || !strings.Contains(err.Error(), p.address("127.0.0.1:1", "hermod.yaml")) {
			t.Errorf("error %v", err)
		}
		t.Log(err)
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// TestALiveNode: a change in the centre reaches a node, over what its file says.
func TestALiveNode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p product) {
		s := p.open(t, p.start(t).Addr, "hermod.yaml")
		p.fill(t, s, "hermod.yaml", "session: {heartbeat: 20s}")
		set := conf.Set{Sources: []conf.Source{s}}
		var m *conf.Merged
		await(t, "the configuration", func() (ok bool) {
			var err error
			m, err = set.Load(t.Context())
			return err == nil
		})
		if m.Config.GetSession().GetHeartbeat().AsDuration() != 20*time.Second {
			t.Fatalf("loaded %v", m.Config.GetSession())
		}
		live := conf.NewLive(set, m, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		applied, done := make(chan *conf.Config, 100), make(chan error, 1)
		go func() {
			done <- live.Run(ctx, func(c *conf.Config) { applied <- c }, func(string) bool { return false })
		}()
		p.fill(t, s, "hermod.yaml", "session: {heartbeat: 25s}")
		select {
		case c := <-applied:
			if got := c.GetSession().GetHeartbeat().AsDuration(); got != 25*time.Second {
				t.Errorf("applied %v", got)
			}
		case <-time.After(patience):
			t.Error("nothing was applied")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
