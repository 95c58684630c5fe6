package hermod

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/plugin"
)

// porter is a linked plugin that notes who comes and goes.
type porter struct {
	mu    sync.Mutex
	heard []string
}

func (*porter) Name() string { return "porter" }

func (p *porter) ObserveSession(_ context.Context, e plugin.SessionEvent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	what := fmt.Sprint(e.Kind, " ", e.UserID, " ", e.Protocol, " ", e.Transport, " ", e.Code)
	if e.SessionID == "" || e.Time.IsZero() || (e.Address == "") != (e.Transport == "") || (e.Code == 0) != (e.Reason == "") {
		what = fmt.Sprintf("%+v", e)
	}
	p.heard = append(p.heard, what)
	return nil
}

func (p *porter) about(user string) (heard []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.heard {
		if strings.Contains(h, " "+user+" ") {
			heard = append(heard, h)
		}
	}
	return heard
}

// TestLinkedSessionObserver hears of sessions of both protocols, with the codes of the close table, and of those that
// a node ends when it stops.
func TestLinkedSessionObserver(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	o := &porter{}
	p := startWith(t, []plugin.Plugin{o}, configured(t, "plugins: [{name: porter}]")...)
	alice := p.open(t, "alice")
	if err := alice.CloseSend(); err != nil {
		t.Fatal(err)
	}
	p.open(t, "bob")
	carol, err := p.clients.Connect(as(t, "carol"))
	if err != nil {
		t.Fatal(err)
	}
	start, err := proto.Marshal(&gatewayv1.StartRequest{Openid: "carol"})
	if err != nil {
		t.Fatal(err)
	}
	if err := carol.Send(&gatewayv1.ClientRequest{MsgId: 1, Type: gatewayv1.RequestType_REQUEST_START, Payload: start}); err != nil {
		t.Fatal(err)
	}
	await(t, "carol's session", func() bool { return len(o.about("carol")) == 1 })
	await(t, "alice's end", func() bool { return len(o.about("alice")) == 2 })
	p.stop()
	for user, want := range map[string][]string{
		"alice": {"connected alice im grpc 0", "ended alice im grpc 4003"},
		"bob":   {"connected bob im grpc 0", "ended bob im grpc 3000"},
		"carol": {"connected carol gateway grpc 0", "detached carol gateway grpc 3000", "ended carol gateway  3000"},
	} {
		if got := o.about(user); !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}
