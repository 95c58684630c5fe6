package hermod

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/game-im/hermod/plugin"
)

// moody is a transport that does all that it must not: the first time it panics, the second time it fails,
// the third time it brings a connection that panics and then does not come back before it is let.
type moody struct {
	calls  atomic.Int32
	served chan struct{}
	let    chan struct{}
}

func (*moody) Name() string { return "moody" }

func (m *moody) AcceptConns(_ context.Context, serve func(plugin.Conn)) error {
	switch m.calls.Add(1) {
	case 1:
		panic("not today")
	case 2:
		return errors.New("not now")
	}
	serve(rude{})
	close(m.served)
	<-m.let
	return nil
}

// rude is a connection that panics wherever it can.
type rude struct{}

func (rude) Open(context.Context) (plugin.Opening, error) {
	return plugin.Opening{Protocol: plugin.IM, Encoding: plugin.JSON}, nil
}

func (rude) Read(int) ([]byte, error) { panic("read") }

func (rude) Write([][]byte) error { panic("write") }

func (rude) Close(context.Context, plugin.Disconnect) { panic("close") }

func (rude) Remote() string { panic("remote") }

// TestTransportThatMisbehaves: a node serves on, asks a transport again that does not accept connections, and
// stops though it does not come back.
func TestTransportThatMisbehaves(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	m := &moody{served: make(chan struct{}), let: make(chan struct{})}
	defer close(m.let)
	p := startWith(t, []plugin.Plugin{m}, configured(t, "plugins:", "  - {name: moody, retry_after: 100ms}")...)
	await(t, "a connection is over", func() bool {
		select {
		case <-m.served:
			return true
		default:
			return false
		}
	})
	p.join(t, "alice")
	p.send(t, "alice", "the node serves on")
	_, body := p.get(t, "/metrics")
	for _, want := range []string{
		`hermod_plugin_calls_total{hook="accept_conns",outcome="failed",plugin="moody"} 1`,
		`hermod_plugin_calls_total{hook="accept_conns",outcome="panicked",plugin="moody"} 4`, // accepting, Remote, Read and Close
		`hermod_connections{listener="moody"} 0`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if logs := p.logs.String(); !strings.Contains(logs, "a transport does not accept connections") || !strings.Contains(logs, "not now") {
		t.Errorf("the log does not tell:\n%s", logs)
	}
	p.stop()
}

// posing is a transport with a name that the node has given away.
type posing struct{ moody }

func (*posing) Name() string { return "quic" }

func TestTransportWithATakenName(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	err := Run(t.Context(), append(configured(t, "plugins:", "  - {name: quic}"), loopback...), io.Discard, io.Discard, append(Standard(), &posing{})...)
	if err == nil || !strings.Contains(err.Error(), "the plugin quic carries sessions and cannot have that name") {
		t.Errorf("got %v", err)
	}
}
